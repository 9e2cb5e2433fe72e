// SPDX-License-Identifier: Apache-2.0

/// The members of a tunnel's policy: what each is called, what it takes, and what it is for.
///
/// Everything that reads or describes a policy reads this value: the control API's strict JSON and its OpenAPI
/// document, the connector's file of tunnels and its flags, the tables of the documentation. A new member is one entry
/// in ``tunnel`` and one stored property of ``TunnelPolicy``.
package struct PolicySchema: Sendable {
    /// The members, in the order in which people are shown them.
    package var members: [PolicyMember]

    /// Makes a schema of members with different names.
    package init(members: [PolicyMember]) {
        self.members = members
    }

    /// The members that have a meaning for a kind of tunnels.
    package func applying(to kind: TunnelKind) -> PolicySchema {
        PolicySchema(members: self.members.filter { $0.kinds.contains(kind) })
    }

    /// A member that a policy has although it means nothing for a kind of tunnels; `nil` if there is none.
    package func stranger(in policy: TunnelPolicy, for kind: TunnelKind) -> PolicyMember? {
        self.members.first { !$0.kinds.contains(kind) && $0.value(in: policy) != nil }
    }

    /// The same schema where a number has another upper bound, if that is a lower one.
    ///
    /// - Parameters:
    ///   - name: The member, of the kind ``PolicyKind/number(_:)`` or ``PolicyKind/seconds(_:)``.
    ///   - most: The largest number that it may be.
    package func limiting(_ name: String, to most: Int) -> PolicySchema {
        var schema = self
        for (index, member) in schema.members.enumerated() where member.name == name {
            switch member.kind {
            case .number(let range): schema.members[index].kind = .number(range.clamped(to: range.lowerBound...most))
            case .seconds(let range): schema.members[index].kind = .seconds(range.clamped(to: range.lowerBound...most))
            case .choice, .toggle, .text, .texts, .credentials: break
            }
        }
        return schema
    }
}

/// One member of a policy.
package struct PolicyMember: Sendable {
    /// What holds where a policy does not have the member.
    package enum Default: Equatable, Sendable {
        /// This value.
        case value(PolicyValue)
        /// What these words of Markdown say: "no limit".
        case described(String)
    }

    /// The name in JSON: `path_mode`.
    package var name: String
    /// The name of its flag without the hyphens: `path-mode`.
    package var flag: String
    /// What values it takes.
    package var kind: PolicyKind
    /// What holds where it is left out.
    package var fallback: Default
    /// What it is for: one sentence of Markdown, with words of the program in backticks.
    package var documentation: String
    /// The kinds of tunnels that it has a meaning for.
    package var kinds: Set<TunnelKind>
    private var property: Property?

    /// The access to the property of ``TunnelPolicy`` that holds the value.
    private struct Property: Sendable {
        /// The value; `nil` while it is the default.
        var read: @Sendable (TunnelPolicy) -> PolicyValue?
        /// Stores a value; `false` for one that the property can't hold.
        var write: @Sendable (PolicyValue, inout TunnelPolicy) -> Bool
    }

    /// Describes a member that no property holds.
    ///
    /// - Parameters:
    ///   - name: The name in JSON, of lower-case words with `_`.
    ///   - kind: What values it takes.
    ///   - flag: The name of its flag; `nil` makes it of the name, with `-` and without a unit at the end.
    ///   - fallback: What holds where it is left out.
    ///   - kinds: The kinds of tunnels that it has a meaning for.
    ///   - documentation: One sentence of Markdown.
    package init(
        _ name: String,
        _ kind: PolicyKind,
        flag: String? = nil,
        default fallback: Default,
        for kinds: Set<TunnelKind> = [.http],
        documentation: String
    ) {
        self.name = name
        self.kind = kind
        self.flag = flag ?? Self.flag(name: name, kind: kind)
        self.fallback = fallback
        self.documentation = documentation
        self.kinds = kinds
    }

    /// Describes a member that a property holds.
    ///
    /// - Parameters:
    ///   - name: The name in JSON, of lower-case words with `_`.
    ///   - path: The property; what a new policy has there is the default.
    ///   - kind: What values it takes.
    ///   - flag: The name of its flag; `nil` makes it of the name, with `-` and without a unit at the end.
    ///   - fallback: What the default means, for people, where a value does not say it; Markdown.
    ///   - kinds: The kinds of tunnels that it has a meaning for.
    ///   - documentation: One sentence of Markdown.
    init<Value: Equatable & Sendable>(
        _ name: String,
        _ path: any WritableKeyPath<TunnelPolicy, Value> & Sendable,
        _ kind: TypedPolicyKind<Value>,
        flag: String? = nil,
        default fallback: String? = nil,
        for kinds: Set<TunnelKind> = [.http],
        documentation: String
    ) {
        let initial = TunnelPolicy()[keyPath: path]
        let value = fallback.map(Default.described) ?? kind.policyValue(initial).map(Default.value)
        self.init(
            name,
            kind.kind,
            flag: flag,
            default: value ?? .described("nothing"),
            for: kinds,
            documentation: documentation
        )
        self.property = Property { policy in
            policy[keyPath: path] == initial ? nil : kind.policyValue(policy[keyPath: path])
        } write: { value, policy in
            guard let value = kind.value(value) else { return false }
            policy[keyPath: path] = value
            return true
        }
    }

    /// The name in the connector's file of tunnels: `path-mode`.
    package var fileName: String { self.name.replacing("_", with: "-") }

    /// Whether the values are secrets, which may not be shown anywhere.
    package var isSecret: Bool {
        switch self.kind {
        case .credentials: true
        case .choice, .number, .seconds, .toggle, .text, .texts: false
        }
    }

    /// The value in a policy; `nil` while it is the default, or if no property holds it.
    package func value(in policy: TunnelPolicy) -> PolicyValue? { self.property?.read(policy) }

    /// Stores a value in a policy.
    ///
    /// - Returns: `false` for a value that the member does not take; `true` also if no property holds it.
    package func store(_ value: PolicyValue, in policy: inout TunnelPolicy) -> Bool {
        self.property?.write(value, &policy) ?? true
    }

    private static func flag(name: String, kind: PolicyKind) -> String {
        let words = name.replacing("_", with: "-")
        guard case .seconds = kind, words.hasSuffix("-seconds") else { return words }
        return String(words.dropLast("-seconds".count))
    }
}
