// SPDX-License-Identifier: Apache-2.0

import ArgumentParser

/// `culvert-edge config`: questions about the configuration.
struct ConfigCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "config",
        abstract: "Check the configuration.",
        subcommands: [Check.self]
    )

    /// `culvert-edge config check`.
    struct Check: ParsableCommand {
        static let configuration = CommandConfiguration(
            commandName: "check",
            abstract: "List every setting with its origin, or everything that is wrong; start nothing.",
            discussion: ConfigurationLoading.help
        )

        @OptionGroup var loading: ConfigurationLoading

        func run() throws {
            let outcome = try self.loading.load()
            for setting in outcome.settings {
                let value = setting.value.isEmpty ? "(not set)" : setting.value
                LogSink.standardOutput.write("\(setting.key) = \(value)  # \(setting.origin)\n")
            }
            for warning in outcome.strayVariables + ListenerTLS.warnings(outcome.configuration) {
                LogSink.standardError.write("culvert-edge: warning: \(warning)\n")
            }
        }
    }
}
