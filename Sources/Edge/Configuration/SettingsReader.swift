// SPDX-License-Identifier: Apache-2.0

import Configuration
import Yams

/// Something that is wrong with the configuration, with where it came from.
struct SettingProblem: Error, Equatable, CustomStringConvertible {
    /// The key, in the spelling of the place where it was found.
    var key: String
    /// Where: `flag`, `environment`, or the file and its line.
    var origin: String
    /// What is wrong.
    var message: String

    var description: String { "\(self.key) (\(self.origin)): \(self.message)" }
}

/// A setting as it was read: for `config check`, and for the help.
struct SettingDescription: Equatable, Sendable {
    /// The key: `tunnel.request-timeout`.
    var key: String
    /// The value in force, or a mask.
    var value: String
    /// Where the value came from.
    var origin: String
    /// What it is about.
    var help: String
    /// What its value has to be.
    var expectation: String
}

/// Reads settings from flags, the environment and a YAML file, in this order of precedence, and collects what is wrong
/// instead of stopping at the first.
struct SettingsReader {
    private struct Layer {
        var snapshot: any ConfigSnapshot
        var name: String
        var isFile = false
        /// The keys that this layer has, in its own spelling, with where each came from.
        var origins: [String: String]
        /// The layer's spelling of a key.
        var spelling: @Sendable (String) -> String
    }

    private var layers: [Layer] = []
    /// What is wrong, in the order in which it was found.
    private(set) var problems: [SettingProblem] = []
    /// What has been read, in the order of reading.
    private(set) var settings: [SettingDescription] = []
    /// The secrets that the file holds, which then has to be private.
    private(set) var secretsInFile: [String] = []

    /// Makes a reader.
    ///
    /// - Parameters:
    ///   - arguments: The flags, without the program's name.
    ///   - environment: The environment.
    ///   - file: The name and text of the YAML file, if there is one.
    init(arguments: [String], environment: [String: String], file: (name: String, text: String)?) {
        self.addFlags(arguments)
        self.addEnvironment(environment)
        if let file { self.addFile(named: file.name, text: file.text) }
    }

    /// The value of a setting, or `nil` if nobody has set it to something that can be used.
    ///
    /// - Parameters:
    ///   - key: The key.
    ///   - help: What it is about.
    ///   - defaultText: How the default is shown.
    mutating func optional<Value: SettingValue>(
        _ key: String,
        as type: Value.Type = Value.self,
        help: String,
        isSecret: Bool = false,
        defaultText: String = ""
    ) -> Value? {
        var description = SettingDescription(
            key: key,
            value: defaultText,
            origin: "default",
            help: help,
            expectation: type.expectation
        )
        defer { self.settings.append(description) }
        guard let (texts, layer) = self.texts(of: key) else { return nil }
        let origin = layer.origins[layer.spelling(key)] ?? layer.name
        if isSecret, layer.name == "flag" {
            self.report(layer.spelling(key), origin, "has to come from the environment: other users can see flags")
            return nil
        }
        guard texts.count == 1 || type.isList else {
            let shown = isSecret ? "\(texts.count) values" : texts.map { "\"\($0)\"" }.joined(separator: " and ")
            self.report(layer.spelling(key), origin, "\(shown) where one value is expected")
            return nil
        }
        let text = texts.joined(separator: ",")
        guard let value = Value(setting: text) else {
            let shown = isSecret ? "the value" : "\"\(text)\""
            self.report(layer.spelling(key), origin, "\(shown) is not \(type.expectation)")
            return nil
        }
        if isSecret, layer.isFile { self.secretsInFile.append(key) }
        description.origin = origin
        description.value = isSecret ? "(secret)" : value.settingText
        return value
    }

    /// The value of a setting.
    mutating func value<Value: SettingValue>(
        _ key: String,
        default defaultValue: Value,
        help: String
    ) -> Value {
        self.optional(key, as: Value.self, help: help, defaultText: defaultValue.settingText) ?? defaultValue
    }

    /// Reads a setting that has a default: what is there is kept if nobody has set it to something else.
    ///
    /// - Parameters:
    ///   - key: The key.
    ///   - value: The default, and then the value.
    ///   - help: What it is about.
    mutating func read<Value: SettingValue>(_ key: String, into value: inout Value, help: String) {
        value = self.value(key, default: value, help: help)
    }

    /// Reads a setting that has a default and bounds.
    ///
    /// - Parameters:
    ///   - key: The key.
    ///   - value: The default, which is within the bounds, and then the value.
    ///   - bounds: What it may be.
    ///   - help: What it is about.
    mutating func read<Value: SettingValue & Comparable>(
        _ key: String,
        into value: inout Value,
        in bounds: ClosedRange<Value>,
        help: String
    ) {
        let read = self.value(key, default: value, help: help)
        guard !bounds.contains(read) else {
            value = read
            return
        }
        let (least, most) = (bounds.lowerBound.settingText, bounds.upperBound.settingText)
        self.report(key, "\(read.settingText) is not from \(least) to \(most)")
    }

    /// Reads a setting that may be absent.
    ///
    /// - Parameters:
    ///   - key: The key.
    ///   - value: What was read.
    ///   - help: What it is about.
    ///   - isSecret: Whether it may come from the environment only, and is never shown.
    mutating func read<Value: SettingValue>(
        _ key: String,
        into value: inout Value?,
        help: String,
        isSecret: Bool = false
    ) {
        value = self.optional(key, help: help, isSecret: isSecret)
    }

    /// Adds a problem of a setting that was read.
    mutating func report(_ key: String, _ message: String) {
        let origin = self.settings.last { $0.key == key }?.origin ?? "default"
        self.report(key, origin, message)
    }

    /// Reports the keys that nobody has asked for; to be called when everything has been read.
    mutating func reportUnknownKeys() {
        let known = self.settings.map(\.key)
        for layer in self.layers {
            let spellings = Set(known.map(layer.spelling))
            for (key, origin) in layer.origins.sorted(by: { $0.key < $1.key }) where !spellings.contains(key) {
                self.report(key, origin, "there is no such setting")
            }
        }
    }

    private mutating func report(_ key: String, _ origin: String, _ message: String) {
        self.problems.append(SettingProblem(key: key, origin: origin, message: message))
    }

    // MARK: Layers

    private func texts(of key: String) -> (texts: [String], layer: Layer)? {
        let absolute = AbsoluteConfigKey(key.split(separator: ".").map(String.init))
        for layer in self.layers where layer.origins[layer.spelling(key)] != nil {
            // A flag without a value is a Boolean, and a list in a file is an array: neither is a string.
            if let result = try? layer.snapshot.value(forKey: absolute, type: .string),
                case .string(let text)? = result.value?.content
            {
                return ([text], layer)
            }
            if let result = try? layer.snapshot.value(forKey: absolute, type: .stringArray),
                case .stringArray(let texts)? = result.value?.content
            {
                return (texts.isEmpty ? ["true"] : texts, layer)
            }
        }
        return nil
    }

    private mutating func addFlags(_ arguments: [String]) {
        var origins: [String: String] = [:]
        for argument in arguments {
            if argument.hasPrefix("--") {
                origins[String(argument.prefix { $0 != "=" })] = "flag"
            } else if origins.isEmpty || argument.hasPrefix("-") {
                self.report(argument, "flag", "settings are written --key value")
            }
        }
        self.layers.append(
            Layer(
                // The provider skips the name of the program.
                snapshot: CommandLineArgumentsProvider(arguments: ["culvert-edge"] + arguments).snapshot(),
                name: "flag",
                origins: origins,
                spelling: { "--\($0.replacing(".", with: "-"))" }
            )
        )
    }

    /// Variables that are no settings: what the connector's and those of an orchestrator are called; a service named `culvert-edge` puts
    /// `CULVERT_EDGE_PORT` and more into the environment of every pod.
    private static let foreignVariables: Set<String> = [
        "CULVERT_EDGE", "CULVERT_API_KEY", "CULVERT_TOKEN", "CULVERT_OTP", "CULVERT_STRICT",
        // Names the file, and so is read before settings are.
        "CULVERT_CONFIG",
    ]

    private mutating func addEnvironment(_ environment: [String: String]) {
        let ours = environment.filter { name, _ in
            name.hasPrefix("CULVERT_") && !name.hasPrefix("CULVERT_EDGE_") && !Self.foreignVariables.contains(name)
        }
        self.layers.append(
            Layer(
                snapshot: EnvironmentVariablesProvider(environmentVariables: ours).prefixKeys(with: "culvert")
                    .snapshot(),
                name: "environment",
                origins: ours.mapValues { _ in "environment" },
                spelling: { key in
                    "CULVERT_" + key.uppercased().replacing(".", with: "_").replacing("-", with: "_")
                }
            )
        )
    }

    private mutating func addFile(named name: String, text: String) {
        do {
            guard let root = try Yams.compose(yaml: text) else { return }
            var origins: [String: String] = [:]
            Self.collect(root, path: [], file: name, into: &origins)
            let snapshot = try YAMLSnapshot(
                data: Array(text.utf8).span.bytes,
                providerName: name,
                parsingOptions: .default
            )
            self.layers.append(Layer(snapshot: snapshot, name: name, isFile: true, origins: origins, spelling: { $0 }))
        } catch {
            self.report("--config", name, "the file can't be read as YAML: \(Self.reason(error))")
        }
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

    private static func collect(_ node: Yams.Node, path: [String], file: String, into origins: inout [String: String]) {
        guard let mapping = node.mapping else {
            origins[path.joined(separator: ".")] = node.mark.map { "\(file), line \($0.line)" } ?? file
            return
        }
        for (key, value) in mapping {
            self.collect(value, path: path + [key.string ?? "?"], file: file, into: &origins)
        }
    }
}
