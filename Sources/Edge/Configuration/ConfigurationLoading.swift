// SPDX-License-Identifier: Apache-2.0

import ArgumentParser

#if canImport(FoundationEssentials)
import FoundationEssentials
#else
import Foundation
#endif

/// The part of the command line that all commands share: where settings come from.
struct ConfigurationLoading: ParsableArguments {
    @Option(help: "A YAML file with settings.")
    var config: String?

    @Argument(parsing: .allUnrecognized, help: "Settings: --key value.")
    var settings: [String] = []

    /// Reads the configuration, and ends the program if anything is wrong with it.
    ///
    /// - Returns: The configuration and every setting with its origin.
    func load() throws -> (EdgeConfiguration, [SettingDescription]) {
        let environment = ProcessInfo.processInfo.environment
        var file: (name: String, text: String)?
        if let path = self.config ?? environment["CULVERT_CONFIG"] {
            guard let data = FileManager.default.contents(atPath: path) else {
                throw CommandFailure.exit(.configuration, "\(path): the file can't be read")
            }
            file = (path, String(decoding: data, as: UTF8.self))
        }
        var reader = SettingsReader(arguments: self.settings, environment: environment, file: file)
        let configuration = EdgeConfiguration(from: &reader)
        guard reader.problems.isEmpty else {
            let lines = reader.problems.map { "\n  \($0)" }.joined()
            throw CommandFailure.exit(.configuration, "the configuration can't be used:\(lines)")
        }
        return (configuration, reader.settings)
    }

    /// Every setting with its default, for the help.
    static var help: String {
        var reader = SettingsReader(arguments: [], environment: [:], file: nil)
        _ = EdgeConfiguration(from: &reader)
        let lines = reader.settings.map { setting in
            let flag = "--" + setting.key.replacing(".", with: "-")
            let padding = String(repeating: " ", count: max(1, 34 - flag.count))
            return "  \(flag)\(padding)\(setting.help)\(setting.value.isEmpty ? "" : " (\(setting.value))")"
        }
        return """
            Each setting is a flag, an environment variable (CULVERT_TUNNEL_REQUEST_TIMEOUT) or a key in the YAML file \
            (tunnel: {request-timeout: 30s}); the first of these that says something counts.

            \(lines.joined(separator: "\n"))
            """
    }
}
