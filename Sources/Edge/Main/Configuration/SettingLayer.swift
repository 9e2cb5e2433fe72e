// SPDX-License-Identifier: Apache-2.0

import Program
import Yams

/// What one source says of the settings: the flags, the environment or the YAML file.
struct SettingLayer: Sendable {
    /// Where a layer comes from.
    enum Source: Sendable {
        case flags
        case environment
        case file
    }

    /// What a source says of one setting.
    struct Entry: Equatable, Sendable {
        /// The values, as texts: one, unless the setting was given several times or as a list.
        var texts: [String]
        /// Where: `flag`, `environment`, or the file and its line.
        var origin: String
    }

    let source: Source
    /// By the source's own spelling of the key.
    private(set) var entries: [String: Entry] = [:]

    /// How the source spells a key: `tunnel.request-timeout` is `--tunnel-request-timeout` among the flags.
    func spelling(_ key: String) -> String {
        switch self.source {
        case .flags: "--\(key.replacing(".", with: "-"))"
        case .environment: "CULVERT_" + key.uppercased().replacing(".", with: "_").replacing("-", with: "_")
        case .file: key
        }
    }

    // MARK: Flags

    /// Reads `--key value`, `--key=value`, `--key` for `--key true`, and `--key value value`.
    init(flags arguments: [String], problems: inout [SettingProblem]) {
        self.source = .flags
        var current: String?
        var isAfterWrongWord = false
        for argument in arguments {
            if argument.hasPrefix("--") {
                isAfterWrongWord = false
                let flag = String(argument.prefix { $0 != "=" })
                current = flag
                var entry = self.entries[flag] ?? Entry(texts: [], origin: "flag")
                if flag != argument {
                    entry.texts.append(String(argument.dropFirst(flag.count + 1)))
                    current = nil
                }
                self.entries[flag] = entry
            } else if let flag = current, !argument.hasPrefix("-") {
                self.entries[flag]?.texts.append(argument)
            } else if argument.hasPrefix("-") || !isAfterWrongWord {
                // What follows a word that means nothing is a part of it.
                isAfterWrongWord = true
                current = nil
                problems.append(
                    SettingProblem(
                        key: argument,
                        origin: "flag",
                        message: "settings are written --key value, and --config FILE names a file of them",
                        isUsage: true
                    )
                )
            }
        }
        for (flag, entry) in self.entries where entry.texts.isEmpty { self.entries[flag]?.texts = ["true"] }
    }

    // MARK: Environment

    /// Variables that are not settings of the edge: those of the connector and the build, and those that an
    /// orchestrator sets.
    ///
    /// Kubernetes puts `CULVERT_EDGE_PORT` and more into the environment of every pod beside a service named
    /// `culvert-edge`; ``StrayVariables`` tells of what begins so and is of nobody.
    private static let foreignVariables: Set<String> = [
        "CULVERT_EDGE", "CULVERT_API_KEY", "CULVERT_TOKEN", "CULVERT_OTP", "CULVERT_STRICT",
        // Names the file, and so is read before the settings.
        "CULVERT_CONFIG",
    ]

    /// Takes the variables that begin with `CULVERT_`.
    init(environment: [String: String]) {
        self.source = .environment
        for (name, value) in environment
        where name.hasPrefix("CULVERT_") && !name.hasPrefix("CULVERT_EDGE_") && !Self.foreignVariables.contains(name) {
            // Beside a service named `culvert`, or `culvert-redis`.
            if StrayVariables.isOfOrchestrator(name, value: value) { continue }
            self.entries[name] = Entry(texts: [value], origin: "environment")
        }
    }

    // MARK: File

    /// Reads a YAML file: nested keys, each with a scalar or a list of scalars.
    init(file name: String, text: String, problems: inout [SettingProblem]) {
        self.source = .file
        do {
            guard let root = try Yams.compose(yaml: text) else { return }
            if root.mapping.flatMap(Self.owner) == .tunnels {
                let message =
                    "this is a file of tunnels, which is for culvert start FILE; culvert-edge serve --help lists the "
                    + "settings of an edge"
                problems.append(SettingProblem(key: Self.fileKey, origin: name, message: message))
            } else if root.mapping == nil {
                problems.append(Self.problem(of: name, Self.otherFormat(text) ?? "it has to hold keys with values"))
            } else {
                self.collect(root, path: [], file: name, problems: &problems)
            }
        } catch {
            problems.append(Self.problem(of: name, Self.otherFormat(text) ?? Self.reason(error)))
        }
    }

    private static func owner(of mapping: Node.Mapping) -> FileOfSettings? {
        let contents = mapping.lazy.map { key, value -> (name: String, content: FileOfSettings.Content) in
            (key.string ?? "", value.sequence != nil ? .list : value.mapping != nil ? .mapping : .text)
        }
        return FileOfSettings(contents)
    }

    private static func otherFormat(_ text: String) -> String? {
        OtherFormat.line(in: text).map {
            "line \($0): this looks like TOML or INI, where “listen: 0.0.0.0:8989” is YAML"
        }
    }

    /// The key of problems that are the whole file's.
    static let fileKey = "--config"

    private static func problem(of file: String, _ reason: String) -> SettingProblem {
        SettingProblem(key: self.fileKey, origin: file, message: "the file can't be read as YAML: \(reason)")
    }

    /// What is wrong with a file and where, but nothing of its contents, among which there may be a secret.
    private static func reason(_ error: any Error) -> String {
        switch error as? YamlError {
        case .scanner(_, let problem, let mark, _), .parser(_, let problem, let mark, _),
            .composer(_, let problem, let mark, _):
            "line \(mark.line), column \(mark.column): \(problem)"
        case .duplicatedKeysInMapping(let keys, let context):
            "line \(context.mark.line): \(keys.joined(separator: " and ")) is there twice"
        case .reader(let problem, _, _, _): problem
        default: "it has to hold keys with values"
        }
    }

    private mutating func collect(_ node: Node, path: [String], file: String, problems: inout [SettingProblem]) {
        if let mapping = node.mapping {
            for (key, value) in mapping {
                self.collect(value, path: path + [key.string ?? "?"], file: file, problems: &problems)
            }
            return
        }
        let key = path.joined(separator: ".")
        let origin = node.mark.map { "\(file), line \($0.line)" } ?? file
        let texts = node.sequence.map { $0.map(\.string) } ?? [node.string]
        if self.entries[key] != nil {
            problems.append(SettingProblem(key: key, origin: origin, message: "the setting is there twice"))
        } else if texts.contains(nil) {
            problems.append(SettingProblem(key: key, origin: origin, message: "a list has to hold values alone"))
        } else {
            self.entries[key] = Entry(texts: texts.compactMap { $0 }, origin: origin)
        }
    }
}
