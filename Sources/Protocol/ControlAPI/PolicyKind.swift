// SPDX-License-Identifier: Apache-2.0

/// What values a member of a policy takes.
package enum PolicyKind: Sendable {
    /// One of these words.
    case choice([String])
    /// A whole number within bounds.
    case number(ClosedRange<Int>)
    /// A time of whole seconds, within bounds.
    case seconds(ClosedRange<Int>)
    /// On or off: `true` or `false` in JSON.
    case toggle
    /// A text.
    case text(TextSyntax)
    /// A list of texts, with a bound.
    case texts(TextSyntax, atMost: Int)
    /// A list of user names with passwords, with a bound.
    case credentials(atMost: Int)
}

/// The value of a member, whatever it was read from: JSON, a file of tunnels or flags.
package enum PolicyValue: Equatable, Sendable {
    /// For ``PolicyKind/choice(_:)`` and ``PolicyKind/text(_:)``.
    case text(String)
    /// For ``PolicyKind/number(_:)`` and ``PolicyKind/seconds(_:)``.
    case number(Int)
    /// For ``PolicyKind/toggle``.
    case toggle(Bool)
    /// For ``PolicyKind/texts(_:atMost:)``.
    case texts([String])
    /// For ``PolicyKind/credentials(atMost:)``.
    case credentials([BasicCredential])
}

/// What is wrong with the value of a member.
package struct PolicyFault: Error, Equatable, Sendable {
    /// The part of the value that is wrong: empty for the whole, `[0]`, or `[0].username`.
    package var place: String
    /// The end of a sentence whose subject is the member, as "has to be strip or keep".
    ///
    /// It never quotes the value, which may be a secret.
    package var message: String

    /// Makes a fault.
    package init(place: String = "", _ message: String) {
        self.place = place
        self.message = message
    }
}

extension PolicyKind {
    /// Finds the first thing that is wrong with a value.
    package func fault(in value: PolicyValue) -> PolicyFault? {
        switch (self, value) {
        case (.choice(let words), .text(let text)) where words.contains(text): return nil
        case (.number(let range), .number(let number)) where range.contains(number): return nil
        case (.seconds(let range), .number(let number)) where range.contains(number): return nil
        case (.toggle, .toggle): return nil
        case (.text(let syntax), .text(let text)) where syntax.isValid(text): return nil
        case (.texts(let syntax, let limit), .texts(let texts)):
            guard texts.count <= limit else { return Self.tooMany(limit) }
            return texts.firstIndex { !syntax.isValid($0) }.map {
                PolicyFault(place: "[\($0)]", "has to be \(syntax.requirement)")
            }
        case (.credentials(let limit), .credentials(let credentials)):
            guard credentials.count <= limit else { return Self.tooMany(limit) }
            for (index, credential) in credentials.enumerated() {
                guard var fault = credential.fault else { continue }
                fault.place = "[\(index)]\(fault.place)"
                return fault
            }
            return nil
        default: return PolicyFault("has to be \(self.requirement)")
        }
    }

    /// What a value has to be, after "has to be": "strip or keep".
    package var requirement: String {
        switch self {
        case .choice(let words):
            words.count < 3
                ? words.joined(separator: " or ")
                : words.dropLast().joined(separator: ", ") + " or \(words.last ?? "")"
        case .number(let range): "a whole number from \(range.lowerBound) to \(range.upperBound)"
        case .seconds(let range): "a whole number of seconds from \(range.lowerBound) to \(range.upperBound)"
        case .toggle: "on or off"
        case .text(let syntax): syntax.requirement
        case .texts, .credentials: "a list"
        }
    }

    private static func tooMany(_ limit: Int) -> PolicyFault { PolicyFault("may have \(limit) entries at most") }
}

extension BasicCredential {
    /// What is wrong with the credential, and in which member.
    fileprivate var fault: PolicyFault? {
        guard TextSyntax.userName.isValid(self.username) else {
            return PolicyFault(place: ".username", "has to be \(TextSyntax.userName.requirement)")
        }
        switch (self.password, self.passwordHash) {
        case (let password?, nil) where ForeignPasswordHash.matches(password):
            return PolicyFault(place: ".password", ForeignPasswordHash.fault)
        case (let password?, nil) where TextSyntax.password.isValid(password): return nil
        case (_?, nil): return PolicyFault(place: ".password", "has to be \(TextSyntax.password.requirement)")
        case (nil, let hash?) where TextSyntax.passwordHash.isValid(hash): return nil
        case (nil, _?):
            return PolicyFault(place: ".password_hash", "has to be \(TextSyntax.passwordHash.requirement)")
        default: return PolicyFault("needs either password or password_hash")
        }
    }
}
