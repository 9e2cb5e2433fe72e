// SPDX-License-Identifier: Apache-2.0

/// A kind of values together with the Swift type that holds them in ``TunnelPolicy``.
struct TypedPolicyKind<Value: Equatable & Sendable>: Sendable {
    let kind: PolicyKind
    /// Makes the property's value; `nil` for a value of another kind.
    let value: @Sendable (PolicyValue) -> Value?
    /// Makes the member's value; `nil` where the property says nothing.
    let policyValue: @Sendable (Value) -> PolicyValue?
}

extension TypedPolicyKind where Value: RawRepresentable & CaseIterable, Value.RawValue == String {
    /// One of the cases of an enumeration.
    static var choice: Self {
        Self(kind: .choice(Value.allCases.map(\.rawValue))) { value in
            guard case .text(let text) = value else { return nil }
            return Value(rawValue: text)
        } policyValue: { value in
            .text(value.rawValue)
        }
    }
}

extension TypedPolicyKind where Value == Int? {
    /// A whole number.
    static func number(_ range: ClosedRange<Int>) -> Self { Self(numberOf: .number(range)) }

    /// A time of whole seconds.
    static func seconds(_ range: ClosedRange<Int>) -> Self { Self(numberOf: .seconds(range)) }

    private init(numberOf kind: PolicyKind) {
        self.init(kind: kind) { value in
            guard case .number(let number) = value else { return nil }
            return number
        } policyValue: { number in
            number.map(PolicyValue.number)
        }
    }
}

extension TypedPolicyKind where Value == HostPolicy {
    /// What the local server sees in `Host`.
    static var host: Self {
        Self(kind: .text(.host)) { value in
            guard case .text(let text) = value else { return nil }
            return HostPolicy(text)
        } policyValue: { host in
            .text(host.description)
        }
    }
}

extension TypedPolicyKind where Value == OriginPolicy {
    /// What the local server sees in `Origin`.
    static var origin: Self {
        Self(kind: .text(.origin)) { value in
            guard case .text(let text) = value else { return nil }
            return OriginPolicy(text)
        } policyValue: { origin in
            .text(origin.description)
        }
    }
}

extension TypedPolicyKind where Value == [String] {
    /// A list of texts.
    static func texts(_ syntax: TextSyntax, atMost limit: Int) -> Self {
        Self(kind: .texts(syntax, atMost: limit)) { value in
            guard case .texts(let texts) = value else { return nil }
            return texts
        } policyValue: { texts in
            .texts(texts)
        }
    }
}

extension TypedPolicyKind where Value == [BasicCredential] {
    /// A list of user names with passwords.
    static func credentials(atMost limit: Int) -> Self {
        Self(kind: .credentials(atMost: limit)) { value in
            guard case .credentials(let credentials) = value else { return nil }
            return credentials
        } policyValue: { credentials in
            .credentials(credentials)
        }
    }
}

extension TypedPolicyKind where Value == Bool {
    /// On or off.
    static var toggle: Self {
        Self(kind: .toggle) { value in
            guard case .toggle(let isOn) = value else { return nil }
            return isOn
        } policyValue: { isOn in
            .toggle(isOn)
        }
    }
}
