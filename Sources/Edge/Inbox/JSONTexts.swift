// SPDX-License-Identifier: Apache-2.0

#if canImport(FoundationEssentials)
import FoundationEssentials
#else
import Foundation
#endif

/// The members of a JSON object that are strings.
struct JSONTexts: Decodable {
    private struct Name: CodingKey {
        let stringValue: String
        var intValue: Int? { nil }

        init(stringValue: String) { self.stringValue = stringValue }
        init?(intValue: Int) { nil }
    }

    private let members: [String: String]

    /// Reads a text; `nil` if it is no JSON object.
    init?(_ bytes: [UInt8]) {
        guard let texts = try? JSONDecoder().decode(JSONTexts.self, from: Data(bytes)) else { return nil }
        self = texts
    }

    init(from decoder: any Decoder) throws {
        let container = try decoder.container(keyedBy: Name.self)
        var members: [String: String] = [:]
        for key in container.allKeys {
            if let text = try? container.decode(String.self, forKey: key) { members[key.stringValue] = text }
        }
        self.members = members
    }

    /// The first of these members that is there, if it is not too long to be told again.
    func first(of names: [String]) -> String? {
        names.lazy.compactMap { self.members[$0] }.first { $0.utf8.count <= 1_024 }
    }
}
