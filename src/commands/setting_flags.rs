//! A flag for each setting, as the table of settings promises.

use clap::{Arg, ArgMatches, Args, Command, Error, FromArgMatches};
use flockscope_configuration::settings;

/// The settings that have no flag of their own in a command: their keys and the texts that were given. To be the last of
/// a command's arguments, so that it sees which flags there are.
pub(crate) struct SettingFlags(pub(crate) Vec<(String, String)>);

impl Args for SettingFlags {
    fn augment_args(mut command: Command) -> Command {
        for setting in settings() {
            let Some(flag) = setting.flag else {
                continue;
            };
            let is_there = command.get_arguments().any(|argument| {
                let aliases = argument.get_all_aliases().unwrap_or_default();
                argument.get_long() == Some(flag) || aliases.contains(&flag)
            });
            if !is_there {
                // Hidden, as dozens of them would hide what most people want; docs/configuration.md has them all.
                command = command.arg(Arg::new(setting.key).long(flag).value_name("VALUE").hide(true));
            }
        }
        command
    }

    fn augment_args_for_update(command: Command) -> Command {
        Self::augment_args(command)
    }
}

impl FromArgMatches for SettingFlags {
    fn from_arg_matches(matches: &ArgMatches) -> Result<Self, Error> {
        let given = settings().iter().filter_map(|setting| {
            // An error says that the command has a flag of its own for it.
            let text = matches.try_get_one::<String>(setting.key).ok()??;
            Some((setting.key.to_owned(), text.clone()))
        });
        Ok(Self(given.collect()))
    }

    fn update_from_arg_matches(&mut self, matches: &ArgMatches) -> Result<(), Error> {
        *self = Self::from_arg_matches(matches)?;
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use clap::{CommandFactory, Parser};

    use crate::arguments::Arguments;
    use crate::commands::Command;

    #[test]
    fn every_flag_of_the_table_is_one_of_serve() {
        let table = flockscope_configuration::markdown();
        let flags: Vec<&str> = table
            .split("<br>`--")
            .skip(1)
            .filter_map(|rest| rest.split('`').next())
            .collect();
        assert!(flags.len() > 40, "{flags:?}");
        Arguments::command().debug_assert();
        for flag in flags {
            let with_value = Arguments::try_parse_from(["flockscope", "serve", &format!("--{flag}"), "1m"]);
            let alone = || Arguments::try_parse_from(["flockscope", "serve", &format!("--{flag}")]);
            assert!(with_value.is_ok() || alone().is_ok(), "--{flag}");
        }
    }

    #[test]
    fn a_flag_gives_its_setting_the_text() {
        let line = [
            "flockscope",
            "serve",
            "--sql-rows",
            "5",
            "--metrics",
            "false",
            "store.duckdb",
        ];
        let Command::Serve(serve) = Arguments::parse_from(line).command else {
            panic!("another command");
        };
        let expected = [("api.metrics", "false"), ("sql.rows", "5")];
        assert_eq!(
            serve.other_settings(),
            expected.map(|(key, text)| (key.to_owned(), text.to_owned()))
        );
    }
}
