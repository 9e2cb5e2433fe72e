// SPDX-License-Identifier: Apache-2.0

import Yams

/// Several tunnels from one YAML file.
///
/// ```yaml
/// edge: https://edge.example.com
/// api-key-file: /etc/culvert/key
/// connections: 2
/// tunnels:
///   - name: my-app
///     target: 3000
///   - token-file: /etc/culvert/token
///     target: https://localhost:8443
///     origin-tls-verify: off
/// ```
struct TunnelsFile: Equatable, Sendable {
    /// One tunnel of the file.
    struct Entry: Equatable, Sendable {
        var target: OriginTarget
        var name: String?
        /// Serve the tunnel of this token instead of making one.
        var tokenFile: String?
        var hostHeader = "rewrite"
        var verifiesOriginTLS = true
    }

    var edge: String?
    var apiKeyFile: String?
    var connections: Int?
    var tunnels: [Entry] = []

    /// Something that is wrong, and where.
    struct Problem: Error, Equatable, CustomStringConvertible {
        /// The line in the file, from 1; nothing if it concerns the whole.
        var line: Int?
        var message: String

        var description: String { self.line.map { "line \($0): \(self.message)" } ?? self.message }
    }

    /// All that is wrong with a file.
    struct Problems: Error, Equatable {
        var list: [Problem]
    }

    /// Reads the text of a file.
    ///
    /// - Throws: ``Problems`` with everything that is wrong, not only the first.
    init(yaml: String) throws(Problems) {
        let root: Node?
        do {
            root = try Yams.compose(yaml: yaml)
        } catch let error as YamlError {
            throw Problems(list: [Problem(line: nil, message: "this is not YAML: \(error)")])
        } catch {
            throw Problems(list: [Problem(line: nil, message: "this is not YAML")])
        }
        var reader = Reader()
        guard let root, let mapping = root.mapping else {
            throw Problems(list: [Problem(line: nil, message: "the file holds no settings")])
        }
        for (key, value) in mapping {
            switch key.string {
            case "edge": self.edge = reader.text(value, "edge")
            case "api-key-file": self.apiKeyFile = reader.text(value, "api-key-file")
            case "connections": self.connections = reader.connections(value)
            case "tunnels": self.tunnels = reader.tunnels(value)
            default: reader.report(key, "there is no setting “\(key.string ?? "?")”")
            }
        }
        if mapping["tunnels"] == nil { reader.report(nil, "“tunnels” is missing") }
        guard reader.problems.isEmpty else { throw Problems(list: reader.problems) }
    }

    /// Gathers problems while it reads.
    private struct Reader {
        var problems: [Problem] = []

        mutating func report(_ node: Node?, _ message: String) {
            self.problems.append(Problem(line: node?.mark?.line, message: message))
        }

        mutating func text(_ node: Node, _ name: String) -> String? {
            guard let text = node.scalar?.string, !text.isEmpty else {
                self.report(node, "“\(name)” has to be a text")
                return nil
            }
            return text
        }

        mutating func connections(_ node: Node) -> Int? {
            guard let number = node.int, (1...8).contains(number) else {
                self.report(node, "“connections” has to be a number from 1 to 8")
                return nil
            }
            return number
        }

        mutating func tunnels(_ node: Node) -> [Entry] {
            guard let sequence = node.sequence, !sequence.isEmpty else {
                self.report(node, "“tunnels” has to be a list of at least one tunnel")
                return []
            }
            let entries = sequence.compactMap { self.tunnel($0) }
            let names = entries.compactMap(\.name)
            for name in Set(names) where names.count(where: { $0 == name }) > 1 {
                self.report(node, "two tunnels are called “\(name)”")
            }
            return entries
        }

        private mutating func tunnel(_ node: Node) -> Entry? {
            guard let mapping = node.mapping else {
                self.report(node, "a tunnel has to have settings, “target” at least")
                return nil
            }
            var target: OriginTarget?
            var entry = Entry(target: OriginTarget(endpoint: .tcp(host: "localhost", port: 1), usesTLS: false))
            for (key, value) in mapping {
                switch key.string {
                case "target": target = self.target(value)
                case "name": entry.name = self.text(value, "name")
                case "token-file": entry.tokenFile = self.text(value, "token-file")
                case "host-header": entry.hostHeader = self.text(value, "host-header") ?? entry.hostHeader
                case "origin-tls-verify": entry.verifiesOriginTLS = self.onOrOff(value)
                default: self.report(key, "there is no setting “\(key.string ?? "?")” of a tunnel")
                }
            }
            if mapping["target"] == nil { self.report(node, "“target” is missing") }
            if entry.tokenFile != nil, entry.name != nil || mapping["host-header"] != nil {
                self.report(node, "with “token-file”, name and host-header are those of the token")
            }
            guard let target else { return nil }
            entry.target = target
            return entry
        }

        private mutating func target(_ node: Node) -> OriginTarget? {
            guard let text = self.text(node, "target") else { return nil }
            do {
                return try OriginTarget(parsing: text)
            } catch {
                self.report(node, error.description)
                return nil
            }
        }

        private mutating func onOrOff(_ node: Node) -> Bool {
            switch node.scalar?.string {
            case "on", "true": return true
            case "off", "false": return false
            default:
                self.report(node, "“origin-tls-verify” is on or off")
                return true
            }
        }
    }
}
