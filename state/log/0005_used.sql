-- Whether anything was begun in this store, even if nothing of it counts yet: an import writes segments before it lists
-- them, and what a killed one left beside an empty store must not be taken for the log of a store that was lost.
ALTER TABLE sequence ADD COLUMN used INTEGER NOT NULL DEFAULT 0;
