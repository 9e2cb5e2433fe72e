// SPDX-License-Identifier: Apache-2.0

import ConnectorCore
import ControlAPI
import Foundation
import Program
import Yams

extension TunnelsFile {
    /// Reads the text of a file, and the files that it names.
    ///
    /// - Parameters:
    ///   - yaml: The text.
    ///   - folder: Where relative paths start: the folder of the file.
    ///   - policySchema: What the policy of a tunnel may say.
    /// - Throws: ``Problems`` with everything that is wrong, not only the first.
    init(yaml: String, folder: String = "", policySchema: PolicySchema = .tunnel) throws(Problems) {
        let root: Node?
        do {
            root = try Yams.compose(yaml: yaml)
        } catch {
            throw Problems(list: [Problem.otherFormat(yaml) ?? Problem(notYAML: error)])
        }
        guard let root, let mapping = root.mapping else {
            throw Problems(list: [
                Problem.otherFormat(yaml)
                    ?? Problem(line: nil, message: "The file holds no settings: “tunnels” at least is needed.")
            ])
        }
        let contents = mapping.lazy.map { key, value -> (name: String, content: FileOfSettings.Content) in
            (key.string ?? "", value.sequence != nil ? .list : value.mapping != nil ? .mapping : .text)
        }
        if FileOfSettings(contents) == .edge {
            throw Problems(list: [Problem.settingsOfEdge])
        }
        var reader = TunnelsFileReader(folder: folder, policySchema: policySchema)
        var tunnels: Node?
        for (key, value) in mapping {
            switch key.string {
            case "edge": self.edge = reader.edge(value)
            case "api-key-file": self.apiKeyFile = reader.apiKeyFile(value)
            case "connections": self.connections = reader.number(value, "connections", in: 1...8)
            case "share-connections": self.sharesConnections = reader.onOrOff(value, "share-connections")
            case "inspect": self.inspect = reader.inspect(value)
            case "tunnels": tunnels = value
            default: reader.reportUnknown(key, in: .file)
            }
        }
        if let tunnels {
            // A token says its edge, or the file does; which is known only now.
            self.tunnels = reader.tunnels(
                tunnels,
                edge: self.edge,
                connections: self.connections ?? Self.defaultConnections
            )
        } else {
            reader.report(nil, "“tunnels” is missing: list at least one tunnel with its target.")
        }
        self.namedFiles = reader.namedFiles
        guard reader.problems.isEmpty else {
            throw Problems(list: reader.problems.sorted { ($0.line ?? 0) < ($1.line ?? 0) })
        }
    }
}

extension TunnelsFile.Problem {
    /// That a file is the other program's.
    static let settingsOfEdge = TunnelsFile.Problem(
        line: nil,
        message:
            "These are settings of the server: culvert-edge --config FILE takes them. A file of tunnels has “tunnels:”, and "
            + "below it “- target: 3000” for each."
    )

    /// That a text is no YAML, but what frp's and other programs' files are written in.
    static func otherFormat(_ text: String) -> TunnelsFile.Problem? {
        OtherFormat.line(in: text).map { line in
            TunnelsFile.Problem(
                line: line,
                message:
                    "This looks like TOML or INI, and a file of tunnels is YAML: “tunnels:”, and below it “- target: "
                    + "3000” for each."
            )
        }
    }

    /// Says where a text stops being YAML.
    init(notYAML error: any Error) {
        var advice = "Indent with spaces, and put texts with special characters in quotes."
        let text = "\(error)"
        if text.contains("expected ':'") || text.contains("mapping values are not allowed") {
            advice = "Perhaps a colon in the line before has no space behind it, as “target: 3000” has."
        }
        switch error {
        case YamlError.scanner(_, let problem, let mark, _), YamlError.parser(_, let problem, let mark, _),
            YamlError.composer(_, let problem, let mark, _):
            self.init(line: mark.line, message: "This is not YAML: \(problem). \(advice)")
        case YamlError.duplicatedKeysInMapping(let duplicates, let context):
            let names = duplicates.map { "“\(PeerText.printable($0))”" }.joined(separator: ", ")
            self.init(
                line: context.mark.line,
                message: "\(names) stands twice in the same settings: leave one out."
            )
        default:
            self.init(line: nil, message: "This is not YAML. \(advice)")
        }
    }
}

/// Reads the parts of a file of tunnels, and gathers the problems meanwhile.
struct TunnelsFileReader {
    let folder: String
    let policySchema: PolicySchema
    private(set) var problems: [TunnelsFile.Problem] = []
    private(set) var namedFiles: [String] = []

    init(folder: String, policySchema: PolicySchema) {
        self.folder = folder
        self.policySchema = policySchema
    }

    // MARK: Problems

    mutating func report(_ node: Node?, _ message: String) {
        self.problems.append(TunnelsFile.Problem(line: node?.mark?.line, message: message))
    }

    /// Reports a key that no setting of a place has.
    mutating func reportUnknown(_ key: Node, in home: SettingHome) {
        self.report(key, home.refusal(of: PeerText.printable(key.string ?? "?"), self.policySchema))
    }

    // MARK: Values

    mutating func text(_ node: Node, _ name: String) -> String? {
        guard let text = node.scalar?.string, !text.isEmpty else {
            self.report(node, "“\(name)” has to be a text.")
            return nil
        }
        return text
    }

    /// Reads a number; with a unit that the setting counts, a time with another one is taken, too.
    mutating func number(
        _ node: Node,
        _ name: String,
        in range: ClosedRange<Int>,
        unit: TypedDuration.Count? = nil
    ) -> Int? {
        let typed = node.int ?? unit.flatMap { unit in node.scalar.flatMap { Self.number(of: $0.string, unit) } }
        guard let number = typed, range.contains(number) else {
            let requirement =
                unit.map { TypedDuration.requirement(of: $0, in: range) }
                ?? "a number from \(range.lowerBound) to \(range.upperBound)"
            self.report(node, "“\(name)” has to be \(requirement).")
            return nil
        }
        return number
    }

    private static func number(of text: String, _ unit: TypedDuration.Count) -> Int? {
        // A number alone would be seconds.
        guard let last = text.last, last.isLetter else { return nil }
        return TypedDuration(text)?.whole(unit)
    }

    mutating func onOrOff(_ node: Node, _ name: String) -> Bool? {
        switch node.scalar?.string {
        case "on", "true": return true
        case "off", "false": return false
        default:
            self.report(node, "“\(name)” has to be on or off.")
            return nil
        }
    }

    /// Gives what a list has, within a bound.
    mutating func list(_ node: Node, _ name: String, atMost limit: Int) -> [Node] {
        guard let sequence = node.sequence else {
            self.report(node, "“\(name)” has to be a list: each entry begins with a hyphen.")
            return []
        }
        guard sequence.count <= limit else {
            self.report(node, "“\(name)” may have \(limit) entries at most, and has \(sequence.count).")
            return []
        }
        return Array(sequence)
    }

    /// Gives a path, which starts at the folder of the file.
    mutating func path(_ node: Node, _ name: String) -> String? {
        guard let text = self.text(node, name) else { return nil }
        let path = self.placed(text)
        self.namedFiles.append(path)
        return path
    }

    /// A path of the file as the system takes it.
    func placed(_ text: String) -> String {
        let text = text.hasPrefix("~/") ? (text as NSString).expandingTildeInPath : text
        guard !text.hasPrefix("/"), !self.folder.isEmpty else { return text }
        // The words of a person, joined: a path that is shown has no “/./” in it.
        var below = text[...]
        while below.hasPrefix("./") { below = below.dropFirst(2).drop { $0 == "/" } }
        return below.isEmpty || below == "." ? self.folder : self.folder + "/" + below
    }

    /// Gives what comes of a file that is named; a failure is reported at the place of its name.
    mutating func reading<Value>(
        _ node: Node,
        _ read: () throws(CommandFailure) -> Value
    ) -> Value? {
        do {
            return try read()
        } catch {
            self.report(node, error.message)
            return nil
        }
    }

    // MARK: Settings of the whole

    mutating func edge(_ node: Node) -> EdgeAddress? {
        guard let text = self.text(node, "edge") else { return nil }
        return self.reading(node) { () throws(CommandFailure) in try EdgeAccess.address(text) }
    }

    mutating func apiKeyFile(_ node: Node) -> String? {
        guard let path = self.path(node, "api-key-file") else { return nil }
        return self.reading(node) { () throws(CommandFailure) in
            _ = try Credentials(apiKey: try SecretFile.read(path, what: "an API key"))
            return path
        }
    }

    mutating func tunnels(_ node: Node, edge: EdgeAddress?, connections: Int) -> [TunnelsFile.Entry] {
        let nodes = self.list(node, "tunnels", atMost: TunnelsFile.mostTunnels)
        if node.sequence?.isEmpty == true { self.report(node, "“tunnels” is empty: list at least one tunnel.") }
        var entries: [TunnelsFile.Entry] = []
        var seen = SeenTunnels(edge: edge)
        for node in nodes {
            var entry = self.tunnel(node, connections: connections)
            entry?.line = node.mark?.line
            if let entry { entries.append(entry) }
            // Also of one that has something else wrong with it: who corrects that meets no further fault.
            if let fault = seen.fault(of: node, entry, tokenFile: node["token-file"]?.string.map(self.placed)) {
                self.report(node, fault)
            }
        }
        return entries
    }
}

/// The tunnels of a file so far, to find one that is there twice at whatever edge.
///
/// Which edge a name is for is known only with the command line and the environment: ``TunnelsFileSource`` compares names
/// with tokens.
private struct SeenTunnels {
    /// A tunnel by its token; the edge is `nil` where it is that which is dialled for all of them.
    private struct Key: Hashable {
        var edge: EdgeAddress?
        var id: String
    }

    private let edge: EdgeAddress?
    private var names: [String: Int] = [:]
    private var tokens: [Key: Int] = [:]
    private var files: [String: Int] = [:]

    init(edge: EdgeAddress?) { self.edge = edge }

    /// Takes up a tunnel, and says that it was there before.
    mutating func fault(of node: Node, _ entry: TunnelsFile.Entry?, tokenFile: String?) -> String? {
        let line = node.mark?.line ?? 0
        if let tokenFile, let first = self.files.updateFirst(tokenFile, line) {
            return "“\(PeerText.printable(tokenFile))” is in the list twice, the first time in line \(first): "
                + TunnelsFile.oneTarget
        }
        if let token = entry?.token {
            return self.tokens.updateFirst(Key(edge: token.edge ?? self.edge, id: token.tunnelID), line).map {
                TunnelsFile.again(token.tunnelID, byToken: true, first: $0)
            }
        }
        guard tokenFile == nil, let name = node["name"]?.string, TunnelToken.isTunnelID(name) else { return nil }
        return self.names.updateFirst(name, line).map {
            TunnelsFile.again(name, byToken: false, first: $0)
        }
    }
}

extension TunnelsFile {
    fileprivate static let oneTarget = "a tunnel has one target."

    /// That an entry, by its token or by its name, is of a tunnel that another one has.
    static func again(_ tunnelID: String, byToken: Bool, first line: Int) -> String {
        byToken
            ? "The token is of the tunnel “\(tunnelID)”, which line \(line) has, too: \(Self.oneTarget)"
            : "“\(tunnelID)” is in the list twice, the first time in line \(line): \(Self.oneTarget)"
    }
}

extension Dictionary {
    /// Puts a value where there is none.
    ///
    /// - Returns: The one that is there already.
    fileprivate mutating func updateFirst(_ key: Key, _ value: Value) -> Value? {
        if let first = self[key] { return first }
        self[key] = value
        return nil
    }
}
