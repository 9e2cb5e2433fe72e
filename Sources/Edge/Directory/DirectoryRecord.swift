// SPDX-License-Identifier: Apache-2.0
#if Redis

import ControlAPI
import EdgeTunnels
import RESP

#if canImport(FoundationEssentials)
import FoundationEssentials
#else
import Foundation
#endif

/// What Redis keeps of a tunnel, and what is read from it: fields and values in turn.
enum DirectoryRecord {
    private struct Content: Codable {
        var name: String?
        var policy: TunnelPolicy
        /// What it carries; `nil` for HTTP.
        var form: TunnelForm?
        /// Whether the name is kept when the tunnel is forgotten.
        var lease: Bool
    }

    /// The name and the policy as one text.
    static func text(of specification: TunnelSpecification) throws -> String {
        let content = Content(
            name: specification.name,
            policy: specification.policy,
            form: specification.form == .http ? nil : specification.form,
            lease: specification.isWorthALease
        )
        return String(decoding: try JSONEncoder().encode(content), as: UTF8.self)
    }

    /// Reads what there is of a tunnel; `nil` for what is none.
    ///
    /// - Parameters:
    ///   - id: The tunnel.
    ///   - fields: The answer to `HGETALL`.
    ///   - ends: What is known of the ends of its tokens.
    static func entry(_ id: TunnelID, fields: RESPValue?, ends: TokenEnds = TokenEnds()) -> DirectoryEntry? {
        let pairs = self.pairs(fields)
        guard let owner = pairs["o"], let created = pairs["c"].flatMap({ Double($0) }),
            let version = pairs["v"].flatMap({ Double($0) }), let text = pairs["p"],
            let content = try? JSONDecoder().decode(Content.self, from: Data(text.utf8))
        else { return nil }
        let places = pairs.compactMap { field, pod in
            field.hasPrefix("s:") ? DirectoryPlace(pod: PodID(pod), slot: String(field.dropFirst(2))) : nil
        }
        return DirectoryEntry(
            TunnelSpecification(
                id: id,
                name: content.name,
                owner: owner,
                policy: content.policy,
                form: content.form ?? .http,
                createdAt: Date(timeIntervalSince1970: created),
                version: version
            ),
            ends: ends,
            places: Set(places)
        )
    }

    /// Reads which tokens of a tunnel have ended.
    ///
    /// - Parameters:
    ///   - cutoffs: The answer to `HGETALL` for its cut-offs.
    ///   - access: That to `GET` for the end of its access tokens.
    static func ends(_ cutoffs: RESPValue?, access: RESPValue?) -> TokenEnds {
        TokenEnds(self.cutoffs(cutoffs), access: access?.text.flatMap { Double($0) })
    }

    /// Reads cut-offs, in the order of the tokens that they end.
    private static func cutoffs(_ value: RESPValue?) -> [TokenCutoffs.Cutoff] {
        self.pairs(value)
            .compactMap { issuedUntil, endAt in
                guard let issuedUntil = Double(issuedUntil), let endAt = Double(endAt) else { return nil }
                return TokenCutoffs.Cutoff(issuedUntil: issuedUntil, endAt: endAt)
            }
            .sorted { $0.issuedUntil < $1.issuedUntil }
    }

    private static func pairs(_ value: RESPValue?) -> [String: String] {
        let words = value?.elements?.map { $0.text ?? "" } ?? []
        var pairs: [String: String] = [:]
        for index in stride(from: 0, to: words.count - 1, by: 2) { pairs[words[index]] = words[index + 1] }
        return pairs
    }
}

#endif
