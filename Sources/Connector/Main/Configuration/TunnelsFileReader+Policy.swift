// SPDX-License-Identifier: Apache-2.0

import ConnectorCore
import ControlAPI
import NIOCore
import Program
import Yams

/// The policy of a tunnel, in the words of the control API with `-` for `_`.
///
/// The edge has the last word; what it would refuse is found here where it has a line.
extension TunnelsFileReader {
    /// Reads a policy.
    ///
    /// - Parameters:
    ///   - node: The mapping.
    ///   - host: What `host-header` of the tunnel says.
    ///   - connections: How many connections the tunnel will keep.
    mutating func policy(_ node: Node, host: HostPolicy?, connections: Int) -> TunnelPolicy {
        var policy = TunnelPolicy(self.policyValues(node))
        if let host {
            policy.host = host
            if let key = node.mapping?.keys.first(where: { $0.string == "host" }) {
                self.report(key, "“host” is what “host-header” says already: leave one out.")
            }
        }
        if let most = policy.maxConnections, most < connections {
            self.report(
                node.mapping?["max-connections"],
                "“max-connections” is \(most), and the connector keeps \(connections) connections: "
                    + "raise it, or lower “connections”."
            )
        }
        return policy
    }

    /// Reads what a policy says, by the names that members have in JSON.
    mutating func policyValues(_ node: Node) -> [String: PolicyValue] {
        guard let mapping = node.mapping else {
            let settings = SettingHome.policy.settings(self.policySchema)
            self.report(node, "“policy” has to have settings: \(settings.joined(separator: ", ")).")
            return [:]
        }
        var values: [String: PolicyValue] = [:]
        for (key, node) in mapping {
            guard let member = self.policySchema.members.first(where: { $0.fileName == key.string }) else {
                self.reportUnknown(key, in: .policy)
                continue
            }
            values[member.name] = self.value(node, member.fileName, member.kind)
        }
        return values
    }

    /// Reads what the local server sees in `Host`.
    mutating func host(_ node: Node, _ name: String) -> HostPolicy? {
        guard case .text(let text) = self.value(node, name, .text(.host)) else { return nil }
        return HostPolicy(text)
    }

    /// Reads the value of a member, without what is wrong in it.
    private mutating func value(_ node: Node, _ name: String, _ kind: PolicyKind) -> PolicyValue? {
        switch kind {
        case .choice, .text:
            return self.checked(node.scalar.map { .text($0.string) }, kind, node, name)
        case .number:
            return self.checked(node.int.map(PolicyValue.number), kind, node, name)
        case .seconds(let range):
            return self.number(node, name, in: range, unit: .seconds).map(PolicyValue.number)
        case .toggle:
            return self.onOrOff(node, name).map(PolicyValue.toggle)
        case .texts(let syntax, let limit):
            var texts: [String] = []
            for (index, entry) in self.list(node, name, atMost: limit).enumerated() {
                let value = entry.scalar.map { PolicyValue.text($0.string) }
                guard case .text(let text) = self.checked(value, .text(syntax), entry, "\(name)[\(index)]") else {
                    continue
                }
                texts.append(text)
            }
            return .texts(texts)
        case .credentials(let limit):
            var credentials: [BasicCredential] = []
            for (index, entry) in self.list(node, name, atMost: limit).enumerated() {
                if let credential = self.credential(entry, "\(name)[\(index)]") { credentials.append(credential) }
            }
            return .credentials(credentials)
        }
    }

    /// Gives a value that its kind finds nothing wrong with; `nil` stands for one of another kind.
    private mutating func checked(
        _ value: PolicyValue?,
        _ kind: PolicyKind,
        _ node: Node,
        _ name: String
    ) -> PolicyValue? {
        guard let value else {
            self.report(node, "“\(name)” has to be \(kind.requirement).")
            return nil
        }
        guard let fault = kind.fault(in: value) else { return value }
        self.report(node, "“\(name)\(fault.place)” \(fault.message).")
        return nil
    }

    private mutating func credential(_ node: Node, _ name: String) -> BasicCredential? {
        guard let mapping = node.mapping else {
            self.report(node, "“\(name)” has to have “username”, and “password” or “password-file”.")
            return nil
        }
        // Nothing of it is quoted, since a password may be where it does not belong.
        var username: PolicyValue?
        var password: PolicyValue?
        for (key, value) in mapping {
            switch key.string {
            case "username":
                username = self.value(value, "\(name).username", .text(.userName))
            case "password":
                password = self.value(value, "\(name).password", .text(.password))
            case "password-file":
                guard let path = self.path(value, "\(name).password-file") else { break }
                let text = self.reading(value) { () throws(CommandFailure) in
                    try SecretFile.read(path, what: "a password")
                }
                password = text.flatMap {
                    self.checked(.text($0), .text(.password), value, "\(name).password-file")
                }
            default:
                self.reportUnknown(key, in: .credential)
            }
        }
        guard mapping["username"] != nil, (mapping["password"] == nil) != (mapping["password-file"] == nil) else {
            self.report(node, "“\(name)” has to have “username”, and either “password” or “password-file”.")
            return nil
        }
        guard case .text(let username) = username, case .text(let password) = password else { return nil }
        let credential = BasicCredential(username: username, password: password)
        if let fault = PolicyKind.credentials(atMost: 1).fault(in: .credentials([credential])) {
            let setting = mapping["password"] == nil ? "password-file" : "password"
            self.report(mapping[setting], "“\(name).\(setting)” \(fault.message).")
            return nil
        }
        return credential
    }
}
