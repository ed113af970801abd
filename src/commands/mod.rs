//! The commands, one file each.

mod analyses;
mod archive;
mod attributes;
mod backup;
mod completions;
mod config;
mod critical;
mod demo;
mod deps;
mod doctor;
mod exceptions;
mod generate;
mod import;
mod keys;
mod logs;
mod lsp;
mod operations;
mod red;
mod restore;
mod serve;
mod setting_flags;
mod sql;
mod stats;
mod status;
mod stop;
mod timeline;
mod traces;
mod watch;

use clap::Subcommand;

use crate::arguments::Arguments;
use crate::context::Context;
use crate::failure::Failure;

/// What to do.
#[derive(Subcommand)]
pub(crate) enum Command {
    Traces(traces::Traces),
    Timeline(timeline::Timeline),
    Red(red::Red),
    Deps(deps::Deps),
    Critical(critical::Critical),
    Exceptions(exceptions::Exceptions),
    Operations(operations::Operations),
    Attributes(attributes::Attributes),
    Sql(sql::Sql),
    Stats(stats::Stats),
    Analyses(analyses::Analyses),
    Watch(watch::Watch),
    Serve(serve::Serve),
    Status(status::Status),
    Stop(stop::Stop),
    Logs(logs::Logs),
    Lsp(lsp::Lsp),
    Config(config::Config),
    Keys(keys::Keys),
    Import(import::Import),
    Archive(archive::Archive),
    Backup(backup::Backup),
    Restore(restore::Restore),
    Doctor(doctor::Doctor),
    Generate(generate::Generate),
    Demo(demo::Demo),
    Completions(completions::Completions),
    Man(completions::Man),
}

/// Runs the command that was asked for.
pub(crate) fn run(arguments: Arguments) -> Result<(), Failure> {
    let context = Context::new(arguments.global);
    match arguments.command {
        Command::Traces(command) => command.run(&context),
        Command::Timeline(command) => command.run(&context),
        Command::Red(command) => command.run(&context),
        Command::Deps(command) => command.run(&context),
        Command::Critical(command) => command.run(&context),
        Command::Exceptions(command) => command.run(&context),
        Command::Operations(command) => command.run(&context),
        Command::Attributes(command) => command.run(&context),
        Command::Sql(command) => command.run(&context),
        Command::Stats(command) => command.run(&context),
        Command::Analyses(command) => command.run(&context),
        Command::Watch(command) => command.run(&context),
        Command::Serve(command) => command.run(&context),
        Command::Status(command) => command.run(&context),
        Command::Stop(command) => command.run(&context),
        Command::Logs(command) => command.run(&context),
        Command::Lsp(command) => command.run(&context),
        Command::Config(command) => command.run(&context),
        Command::Keys(command) => command.run(&context),
        Command::Import(command) => command.run(&context),
        Command::Archive(command) => command.run(&context),
        Command::Backup(command) => command.run(&context),
        Command::Restore(command) => command.run(&context),
        Command::Doctor(command) => command.run(&context),
        Command::Generate(command) => command.run(&context),
        Command::Demo(command) => command.run(&context),
        Command::Completions(command) => command.run(),
        Command::Man(command) => command.run(),
    }
}
