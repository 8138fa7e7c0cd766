//! `proxy-config`: what a running proxy has compiled, and where each piece came from.

mod filter;
mod rows;

use std::io::Write as _;

use clap::Args;
use clap::builder::{PossibleValue, PossibleValuesParser, TypedValueParser};
use serde_json::{Map, Value as Json};

use crate::cli::admin_client;
use crate::cli::context::Context;
use crate::cli::failure::{Failure, Outcome};
use crate::cli::output::table::{Headings, Table};
use crate::diagnostic::nearest;
use crate::node::api::{GATEWAY, Listener, Row, Rows, Section};
use crate::policy::describe::Rule;
use crate::routing::describe;
use crate::upstream::secrets::Secret;

use filter::Filters;
use rows::Shown;

const EXAMPLES: &str = "Examples:
  # The routes that calls of the workload sleep meet, and the VirtualService of each
  egressctl proxy-config routes sleep

  # The gateway's clusters for a host, with their DestinationRules and last failures
  egressctl proxy-config clusters istio-egressgateway.istio-system --fqdn edition.cnn.com

  # The certificates that are in use: until when, and what is wrong with them; never a key
  egressctl proxy-config secrets

  # The rules in order, and how often each matched and refused
  egressctl proxy-config rules -o wide

  # The endpoints that outlier detection leaves out
  egressctl proxy-config endpoints --status unhealthy

  # Everything that the proxy named web has compiled, for a program
  egressctl proxy-config all --node web -o json";

/// Show what running proxies have compiled, and which resource each piece came from.
///
/// PROXY is a workload whose sidecar is meant, or istio-egressgateway.istio-system, or a node's name; without it all are
/// shown.
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES, visible_alias = "pc")]
pub(crate) struct Arguments {
    /// listeners (l), routes (r), clusters (c), endpoints (ep), secrets (s), rules (ru) or all (a)
    #[arg(value_name = "TYPE", value_parser = sections(), hide_possible_values = true)]
    sections: Sections,
    /// WORKLOAD[.NAMESPACE], or the name of a node
    proxy: Option<String>,
    #[command(flatten)]
    filters: Filters,
    /// Ask the proxy that was started with this --node
    #[arg(long, value_name = "NAME")]
    node: Option<String>,
    /// short, wide, json or yaml
    #[arg(short, long, value_name = "FORMAT", default_value = "short", value_parser = ["short", "wide", "json", "yaml"], hide_possible_values = true)]
    output: String,
}

/// One section, or all.
#[derive(Debug, Clone)]
struct Sections(Vec<Section>);

/// The short names that istioctl has, besides the singular.
const SHORT: &[(Section, &str)] = &[
    (Section::Listeners, "l"),
    (Section::Routes, "r"),
    (Section::Clusters, "c"),
    (Section::Endpoints, "ep"),
    (Section::Secrets, "s"),
    (Section::Rules, "ru"),
];

fn sections() -> impl TypedValueParser<Value = Sections> {
    let value = |(section, short): &(Section, &'static str)| {
        let name = section.name();
        PossibleValue::new(name).aliases([*short, name.trim_end_matches('s')])
    };
    let all = PossibleValue::new("all").alias("a");
    PossibleValuesParser::new(SHORT.iter().map(value).chain([all])).map(|typed| {
        let meant = |(section, short): &&(Section, &str)| {
            typed == section.name() || typed == *short || typed == section.name().trim_end_matches('s')
        };
        match SHORT.iter().find(meant) {
            Some((section, _)) => Sections(vec![*section]),
            None => Sections(Section::ALL.to_vec()),
        }
    })
}

/// The rows of a section that were asked for, of all nodes.
struct Found {
    section: Section,
    rows: Vec<(String, String, Cells)>,
    columns: &'static [&'static str],
    left_out: usize,
}

/// A row as it is printed.
enum Cells {
    Table(Vec<String>),
    Document(Json),
}

impl Arguments {
    /// Asks, filters and prints.
    pub(crate) fn run(self, context: &mut Context) -> Outcome {
        let mut found = Vec::new();
        for section in &self.sections.0 {
            found.push(self.find(*section, context)?);
        }
        match self.output.as_str() {
            "json" | "yaml" => self.print_documents(found, context),
            _ => print_tables(found, context),
        }
    }

    fn find(&self, section: Section, context: &Context) -> Result<Found, Failure> {
        match section {
            Section::Listeners => self.rows::<Listener>(section, context),
            Section::Routes => self.rows::<describe::Route>(section, context),
            Section::Clusters => self.rows::<describe::Cluster>(section, context),
            Section::Endpoints => self.rows::<describe::Endpoint>(section, context),
            Section::Secrets => self.rows::<Secret>(section, context),
            Section::Rules => self.rows::<Rule>(section, context),
        }
    }

    fn rows<T: Shown>(&self, section: Section, context: &Context) -> Result<Found, Failure> {
        let only_section = self.sections.0.len() == 1;
        let filters = self.filters.given();
        if let Some((filter, _)) = filters.iter().find(|(filter, _)| only_section && !T::FILTERS.contains(filter)) {
            return Err(Failure::client(format!("--{} says nothing of {}", filter.name(), section.name())));
        }
        let state = context.state_dir()?;
        let typed = self.proxy.as_deref();
        let names_node = |name: &&str| self.node.is_none() && admin_client::names(&state).iter().any(|n| n == name);
        let node = typed.filter(names_node);
        let all: Vec<Rows<T>> = admin_client::rows(&state, node.or(self.node.as_deref()), section)?;
        let proxy = typed.filter(|_| node.is_none()).map(|name| full(name, context.namespace()));
        if let Some(proxy) = &proxy {
            is_played(proxy, &all)?;
        }
        let wide = self.output == "wide";
        let columns = if wide { T::WIDE } else { T::SHORT };
        let documents = matches!(self.output.as_str(), "json" | "yaml");
        let left_out = all.iter().map(|one| one.left_out).sum();
        let mut rows = Vec::new();
        for Rows { node, rows: of_node, .. } in all {
            let wanted = of_node.into_iter().filter(|row| {
                proxy.as_ref().is_none_or(|proxy| is_of(&row.proxy, proxy))
                    && filters.iter().all(|(filter, value)| row.row.has(*filter, value))
            });
            for Row { proxy, row } in wanted {
                let cells = match documents {
                    true => Cells::Document(document(&node, &proxy, &row)?),
                    false => Cells::Table(row.cells(wide, context.now)),
                };
                rows.push((node.clone(), proxy, cells));
            }
        }
        Ok(Found { section, rows, columns, left_out })
    }

    fn print_documents(&self, found: Vec<Found>, context: &mut Context) -> Outcome {
        let documents = |found: Found| -> Json {
            let cells = found.rows.into_iter().filter_map(|(_, _, cells)| match cells {
                Cells::Document(document) => Some(document),
                Cells::Table(_) => None,
            });
            cells.collect()
        };
        for one in &found {
            warn_of_left_out(one, context)?;
        }
        let single = found.len() == 1;
        let mut by_section: Map<String, Json> =
            found.into_iter().map(|one| (one.section.name().to_owned(), documents(one))).collect();
        let document = match single {
            true => by_section.values_mut().next().map(Json::take).unwrap_or_default(),
            false => Json::Object(by_section),
        };
        let unwritable = |error: String| Failure::client(error);
        if self.output == "yaml" {
            let text = serde_yaml::to_string(&document).map_err(|error| unwritable(error.to_string()))?;
            return Ok(write!(context.out, "{text}")?);
        }
        let text = serde_json::to_string_pretty(&document).map_err(|error| unwritable(error.to_string()))?;
        Ok(writeln!(context.out, "{text}")?)
    }
}

/// The full name of a proxy: a workload's namespace is that of the command, if none is typed.
fn full(name: &str, namespace: &str) -> String {
    if name.contains('.') { name.to_owned() } else { format!("{name}.{namespace}") }
}

/// Whether a row is of a proxy, or of all of a namespace, or of all. Calls of every namespace meet the gateway.
fn is_of(row: &str, proxy: &str) -> bool {
    match row.strip_prefix('*') {
        None => row == proxy,
        Some(namespace) => proxy.ends_with(namespace) || proxy == GATEWAY,
    }
}

/// Refuses a proxy that no node plays.
fn is_played<T>(proxy: &str, all: &[Rows<T>]) -> Result<(), Failure> {
    let known: Vec<&str> = all.iter().flat_map(|one| &one.proxies).map(String::as_str).collect();
    if known.contains(&proxy) {
        return Ok(());
    }
    let near = nearest(proxy, known.iter().copied());
    let hint = near.map(|near| format!("; did you mean {near}?")).unwrap_or_default();
    Err(Failure::client(format!("no running proxy plays {proxy:?}{hint}; there are {}", known.join(", "))))
}

fn document<T: Shown>(node: &str, proxy: &str, row: &T) -> Result<Json, Failure> {
    let mut object = Map::from_iter([("node".to_owned(), node.into()), ("proxy".to_owned(), proxy.into())]);
    if let Json::Object(fields) = serde_json::to_value(row).map_err(|error| Failure::client(error.to_string()))? {
        object.extend(fields);
    }
    Ok(Json::Object(object))
}

fn print_tables(found: Vec<Found>, context: &mut Context) -> Outcome {
    for (position, one) in found.into_iter().enumerate() {
        if position > 0 {
            writeln!(context.out).map_err(Failure::from)?;
        }
        warn_of_left_out(&one, context)?;
        if one.rows.is_empty() {
            context.say(&format!("No {} found.", one.section.name())).map_err(Failure::from)?;
            continue;
        }
        let differ =
            |of: fn(&(String, String, Cells)) -> &String| one.rows.iter().any(|row| of(row) != of(&one.rows[0]));
        let (nodes, proxies) = (differ(|row| &row.0), differ(|row| &row.1));
        let ours = [("node", nodes), ("proxy", proxies)].into_iter().filter(|(_, shown)| *shown).map(|(name, _)| name);
        let mut table = Table::new(ours.chain(one.columns.iter().copied()));
        for (node, proxy, cells) in one.rows {
            let Cells::Table(cells) = cells else { continue };
            let ours = [(node, nodes), (proxy, proxies)].into_iter().filter(|(_, shown)| *shown).map(|(name, _)| name);
            table.push(ours.chain(cells));
        }
        table.write(&mut *context.out, Headings::new(true, context.color)).map_err(Failure::from)?;
    }
    Ok(())
}

fn warn_of_left_out(found: &Found, context: &mut Context) -> Outcome {
    if found.left_out == 0 {
        return Ok(());
    }
    Ok(context.say(&format!("warning: {} more {} are not shown", found.left_out, found.section.name()))?)
}
