// SPDX-License-Identifier: Apache-2.0

extension TunnelPolicy {
    /// Makes a policy of the values of members, by their names; what is left out is the default.
    ///
    /// The values are those that ``PolicyKind/fault(in:)`` finds nothing wrong with; others are left out as well.
    package init(_ values: [String: PolicyValue]) {
        self.init()
        for member in PolicySchema.tunnel.members {
            if let value = values[member.name] { _ = member.store(value, in: &self) }
        }
    }
}

extension TunnelPolicy: Codable {
    /// The name of a member.
    private struct MemberName: CodingKey {
        let stringValue: String
        var intValue: Int? { nil }

        init(stringValue: String) { self.stringValue = stringValue }
        init?(intValue: Int) { nil }
    }

    package init(from decoder: any Decoder) throws {
        self.init()
        let container = try decoder.container(keyedBy: MemberName.self)
        for member in PolicySchema.tunnel.members {
            let name = MemberName(stringValue: member.name)
            guard try container.contains(name) && !container.decodeNil(forKey: name) else { continue }
            let value: PolicyValue =
                switch member.kind {
                case .choice, .text: .text(try container.decode(String.self, forKey: name))
                case .number, .seconds: .number(try container.decode(Int.self, forKey: name))
                case .toggle: .toggle(try container.decode(Bool.self, forKey: name))
                case .texts: .texts(try container.decode([String].self, forKey: name))
                case .credentials: .credentials(try container.decode([BasicCredential].self, forKey: name))
                }
            guard member.store(value, in: &self) else {
                throw DecodingError.dataCorruptedError(
                    forKey: name,
                    in: container,
                    debugDescription: "has to be \(member.kind.requirement)"
                )
            }
        }
    }

    package func encode(to encoder: any Encoder) throws {
        // Only what differs from the defaults is written: the policy is part of every token.
        var container = encoder.container(keyedBy: MemberName.self)
        for member in PolicySchema.tunnel.members {
            let name = MemberName(stringValue: member.name)
            switch member.value(in: self) {
            case .text(let text): try container.encode(text, forKey: name)
            case .number(let number): try container.encode(number, forKey: name)
            case .toggle(let isOn): try container.encode(isOn, forKey: name)
            case .texts(let texts): try container.encode(texts, forKey: name)
            case .credentials(let credentials): try container.encode(credentials, forKey: name)
            case nil: break
            }
        }
    }
}
