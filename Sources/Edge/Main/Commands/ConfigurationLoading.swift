// SPDX-License-Identifier: Apache-2.0

import ArgumentParser
import Program

#if canImport(FoundationEssentials)
import FoundationEssentials
#else
import Foundation
#endif

/// The part of the command line that all commands share: where settings come from.
struct ConfigurationLoading: ParsableArguments {
    @Option(help: ArgumentHelp("A YAML file with settings.", valueName: "file"))
    var config: String?

    @Argument(parsing: .allUnrecognized, help: "Settings: --key value.")
    var settings: [String] = []

    /// What was read.
    struct Outcome {
        var configuration: EdgeConfiguration
        var credentials: CredentialSet
        /// Every setting with its origin.
        var settings: [SettingDescription]

        /// Sentences about variables that somebody may have meant to be settings.
        var strayVariables: [String] {
            StrayVariables.warnings(ProgramEnvironment.variables, keys: self.settings.map(\.key))
        }
    }

    /// Reads the configuration and the files that it names, and ends the program if anything is wrong with them.
    func load() throws -> Outcome {
        do {
            return try self.read()
        } catch {
            throw CommandFailure.exit(error.code, "\(error)")
        }
    }

    /// Reads the configuration and the files that it names.
    ///
    /// - Parameter isReload: Whether the edge runs already: then it may be left without any valid API key, since to
    ///   revoke the last one has to take effect, too.
    /// - Throws: ``ConfigurationProblems`` with everything that is wrong.
    func read(isReload: Bool = false) throws(ConfigurationProblems) -> Outcome {
        var reader = try self.makeReader()
        let configuration = EdgeConfiguration(from: &reader)
        self.checkSecretsInFile(&reader)
        let credentials = CredentialFiles.check(configuration, isReload: isReload, &reader)
        guard reader.problems.isEmpty else { throw ConfigurationProblems(reader.problems) }
        return Outcome(configuration: configuration, credentials: credentials, settings: reader.settings)
    }

    /// Reads where the edge listens for questions about its health.
    ///
    /// What is wrong with other settings, or missing, is no matter of who asks: the edge that is asked may run with others.
    func loadAdminListen() throws -> ListenAddress {
        do throws(ConfigurationProblems) {
            var reader = try self.makeReader()
            // A file that is no YAML says nothing of any setting.
            guard reader.problems.isEmpty else { throw ConfigurationProblems(reader.problems) }
            let configuration = EdgeConfiguration(from: &reader)
            let problems = reader.problems.filter { $0.isUsage || Self.isAdminListen($0.key) }
            guard problems.isEmpty else { throw ConfigurationProblems(problems) }
            return configuration.adminListen
        } catch {
            throw CommandFailure.exit(error.code, "\(error)")
        }
    }

    /// Whether a key, in whatever spelling, is that of the admin listener.
    private static func isAdminListen(_ key: String) -> Bool {
        let words = key.lowercased().split { !$0.isLetter && !$0.isNumber }.filter { $0 != "culvert" }
        return words == ["admin", "listen"]
    }

    /// Whether nothing is configured, as for an edge that `--dev` has started.
    var isEmpty: Bool {
        self.configPath == nil && self.settings.isEmpty
            && !ProgramEnvironment.variables.keys.contains { $0.hasPrefix("CULVERT_") }
    }

    /// A file with a key in it has to be as private as one of keys alone.
    private func checkSecretsInFile(_ reader: inout SettingsReader) {
        guard let path = self.configPath else { return }
        for key in reader.secretsInFile {
            do {
                try CredentialFiles.checkPrivate(path)
            } catch {
                reader.report(key, "\(error)")
            }
        }
    }

    private var configPath: String? { self.config ?? ProgramEnvironment.variables["CULVERT_CONFIG"] }

    private func makeReader() throws(ConfigurationProblems) -> SettingsReader {
        try Self.makeReader(arguments: self.settings, configPath: self.configPath)
    }

    private static func makeReader(
        arguments: [String],
        configPath: String?
    ) throws(ConfigurationProblems) -> SettingsReader {
        var file: (name: String, text: String)?
        if let path = configPath {
            guard let data = FileManager.default.contents(atPath: path) else {
                let message = CredentialFiles.fault(path)
                let origin = ShownPath.text(path)
                throw ConfigurationProblems([SettingProblem(key: "--config", origin: origin, message: message)])
            }
            file = (path, String(decoding: data, as: UTF8.self))
        }
        return SettingsReader(arguments: arguments, environment: ProgramEnvironment.variables, file: file)
    }

    /// What the edge's settings say of the files of keys.
    struct CredentialPlaces {
        /// The file of settings, if there is one.
        var config: String?
        var apiKeys: String?
        var signingKeys: String?
        /// Whether the settings have a signing key that is in no file of keys.
        var hasSigningKey: Bool
        /// What is wrong with the settings, but for files of keys that are not there yet.
        var faults: String?
    }

    /// The files of keys that the edge's settings name, whatever else is wrong with the settings.
    ///
    /// - Parameter config: The file of settings; `nil` for the one that the environment names, if any.
    static func credentialPlaces(config: String?) throws -> CredentialPlaces {
        do throws(ConfigurationProblems) {
            let path = config ?? ProgramEnvironment.variables["CULVERT_CONFIG"]
            var reader = try Self.makeReader(arguments: [], configPath: path)
            // A file that is no YAML names nothing that could be relied on.
            guard reader.problems.isEmpty else { throw ConfigurationProblems(reader.problems) }
            let credentials = EdgeConfiguration(from: &reader).credentials
            let problems = reader.problems.filter { !$0.key.hasPrefix("auth.") || $0.message.contains("such setting") }
            return CredentialPlaces(
                config: path,
                apiKeys: credentials.apiKeysFile,
                signingKeys: credentials.signingKeysFile,
                hasSigningKey: credentials.signingKey != nil,
                faults: path == nil || problems.isEmpty ? nil : problems.map { "\n  \($0)" }.joined()
            )
        } catch {
            throw CommandFailure.exit(error.code, "\(error)")
        }
    }

    /// Every setting with its default, for the help.
    static var help: String {
        var reader = SettingsReader(arguments: [], environment: [:], file: nil)
        _ = EdgeConfiguration(from: &reader)
        let lines = reader.settings.map { setting in
            let flag = "--" + setting.key.replacing(".", with: "-")
            let words = "\(setting.help)\(setting.value.isEmpty ? "" : " (\(setting.value))")".split(separator: " ")
            // As the argument parser sets out options, in 80 columns: it would break longer lines itself, anywhere.
            var lines = ["  \(flag)"]
            var column = 80
            for word in words {
                if column + 1 + word.count > 78 {
                    lines.append(String(repeating: " ", count: 7))
                    column = 7
                }
                lines[lines.count - 1] += " \(word)"
                column += 1 + word.count
            }
            return lines.joined(separator: "\n")
        }
        return """
            Each setting is a flag, an environment variable (CULVERT_TUNNEL_REQUEST_TIMEOUT) or a key in the YAML file \
            (tunnel: {request-timeout: 30s}); the first of these that says something counts. A time is as 500ms, 30s, 5m, \
            12h or 7d, and in seconds without a unit; a size is as 64KiB or 1MiB, and in bytes without one.

            \(lines.joined(separator: "\n"))
            """
    }
}

/// Everything that is wrong with a configuration, and where.
struct ConfigurationProblems: Error, CustomStringConvertible {
    fileprivate let problems: [SettingProblem]

    init(_ problems: [SettingProblem]) { self.problems = problems }

    /// What the program ends with.
    var code: EdgeExitCode { self.problems.contains(where: \.isUsage) ? .usage : .configuration }

    var description: String {
        guard self.code == .configuration else {
            // What follows from a flag that was not understood would only mislead.
            return "the command line can't be understood:"
                + self.problems.filter(\.isUsage).map { "\n  \($0)" }.joined()
                + "\nculvert-edge serve --help lists the settings."
        }
        return "the configuration can't be used:" + self.problems.map { "\n  \($0)" }.joined()
    }
}
