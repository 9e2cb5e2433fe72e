// SPDX-License-Identifier: Apache-2.0

/// Something that is wrong with the configuration, with where it came from.
struct SettingProblem: Error, Equatable, CustomStringConvertible {
    /// The key, in the spelling of the place where it was found.
    var key: String
    /// Where: `flag`, `environment`, or the file and its line.
    var origin: String
    /// What is wrong.
    var message: String
    /// Whether the command line has a word that means nothing, whatever the configuration is.
    var isUsage = false

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
    private var layers: [SettingLayer] = []
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
        self.layers = [
            SettingLayer(flags: arguments, problems: &self.problems),
            SettingLayer(environment: environment),
        ]
        if let file { self.layers.append(SettingLayer(file: file.name, text: file.text, problems: &self.problems)) }
    }

    /// Whether there is a file of which nothing could be read: what it would have set is unknown.
    var hasUnreadableFile: Bool { self.problems.contains { $0.key == SettingLayer.fileKey } }

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
        guard let (entry, layer) = self.entry(of: key) else { return nil }
        let (texts, origin) = (entry.texts, entry.origin)
        if isSecret, layer.source == .flags {
            self.report(layer.spelling(key), origin, "has to come from the environment: other users can see flags")
            return nil
        }
        guard texts.count == 1 || type.isList else {
            let shown =
                isSecret || texts.isEmpty
                ? "\(texts.count) values" : texts.map { "\"\($0)\"" }.joined(separator: " and ")
            self.report(layer.spelling(key), origin, "\(shown) where one value is expected")
            return nil
        }
        let text = texts.joined(separator: ",")
        guard let value = Value(setting: text) else {
            let shown = isSecret ? "the value" : "\"\(text)\""
            self.report(layer.spelling(key), origin, "\(shown) is not \(type.expectation)")
            return nil
        }
        if isSecret, layer.source == .file { self.secretsInFile.append(key) }
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

    /// Reads a setting that may be absent: what is there is kept if nobody has set it to something else.
    ///
    /// - Parameters:
    ///   - key: The key.
    ///   - value: The default, if there is one, and then the value.
    ///   - help: What it is about.
    ///   - isSecret: Whether it may come from the environment only, and is never shown.
    mutating func read<Value: SettingValue>(
        _ key: String,
        into value: inout Value?,
        help: String,
        isSecret: Bool = false
    ) {
        let read: Value? = self.optional(
            key,
            help: help,
            isSecret: isSecret,
            defaultText: value?.settingText ?? ""
        )
        value = read ?? value
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
            for (key, entry) in layer.entries.sorted(by: { $0.key < $1.key }) where !spellings.contains(key) {
                let suggestion = SettingSuggestion(keys: known, layer: layer).words(for: key)
                self.problems.append(
                    SettingProblem(
                        key: key,
                        origin: entry.origin,
                        message: "there is no such setting" + suggestion,
                        isUsage: layer.source == .flags
                    )
                )
            }
        }
    }

    private mutating func report(_ key: String, _ origin: String, _ message: String) {
        self.problems.append(SettingProblem(key: key, origin: origin, message: message))
    }

    private func entry(of key: String) -> (SettingLayer.Entry, SettingLayer)? {
        for layer in self.layers {
            if let entry = layer.entries[layer.spelling(key)] { return (entry, layer) }
        }
        return nil
    }
}
