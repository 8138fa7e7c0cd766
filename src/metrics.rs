//! Counters and histograms, a shard for each worker, summed when read.
