// SPDX-License-Identifier: Apache-2.0

import ControlAPI
import Program

/// A place of a file of tunnels that has settings.
enum SettingHome: String, CaseIterable {
    case file
    case tunnel
    case policy
    case credential
    case inbox
    case answer
    case verify
    case generic
    case delivery
    case keep
    case inspect
    case signature

    /// Where the place itself is.
    var parent: SettingHome? {
        switch self {
        case .file: nil
        case .tunnel, .inspect: .file
        case .policy, .inbox: .tunnel
        case .credential: .policy
        case .answer, .verify, .delivery, .keep: .inbox
        case .generic: .verify
        case .signature: .inspect
        }
    }

    /// The settings that are there.
    ///
    /// - Parameter policy: What the policy of a tunnel may say.
    func settings(_ policy: PolicySchema) -> [String] {
        switch self {
        case .file: ["edge", "api-key-file", "connections", "share-connections", "inspect", "tunnels"]
        case .tunnel:
            [
                "target", "kind", "name", "port", "public", "pool", "token-file", "host-header", "policy",
                "origin-tls-verify", "origin-ca-file", "inspect", "inbox",
            ]
        case .policy: policy.members.map(\.fileName)
        case .credential: ["username", "password", "password-file"]
        case .inbox: ["when", "methods", "paths", "answer", "echo", "verify", "delivery", "keep"]
        case .answer: ["status", "content-type", "body"]
        case .verify: ["scheme", "secret-file", "on-failure", "tolerance-seconds", "generic"]
        case .generic: ["field", "prefix", "hash", "coding", "template", "time-field"]
        case .delivery: ["attempts", "timeout-seconds", "order", "per-second"]
        case .keep: ["delivered-hours", "waiting-hours", "messages", "bytes", "body-bytes"]
        case .inspect: ["listen", "memory", "body", "token", "allow-hosts", "drop", "signatures"]
        case .signature: ["scheme", "secret-file", "tunnel"]
        }
    }

    /// Whose settings these are, after "no setting X".
    var ofWhom: String {
        switch self {
        case .file: ""
        case .tunnel: " of a tunnel"
        case .policy: " of a policy"
        case .credential: " of an entry of “basic-auth”"
        case .inbox: " of “inbox”"
        case .answer: " of “answer”"
        case .verify: " of “verify”"
        case .generic: " of “generic”"
        case .delivery: " of “delivery”"
        case .keep: " of “keep”"
        case .inspect: " of “inspect”"
        case .signature: " of a signature"
        }
    }

    /// Where a setting of this place belongs.
    var whither: String {
        switch self {
        case .file: "at the top of the file, beside “tunnels”"
        case .tunnel: "to a tunnel of the list “tunnels”"
        case .policy: "under “policy” of a tunnel"
        case .credential: "to an entry of “basic-auth” of a policy"
        case .inbox: "under “inbox” of a tunnel"
        case .answer: "under “answer” of “inbox”"
        case .verify: "under “verify” of “inbox”"
        case .generic: "under “generic” of “verify”"
        case .delivery: "under “delivery” of “inbox”"
        case .keep: "under “keep” of “inbox”"
        case .inspect: "under “inspect” at the top of the file"
        case .signature: "to an entry of “signatures” of “inspect”"
        }
    }

    /// What is said of a name that no setting here has: how it is spelt, or where it belongs, or which there are.
    ///
    /// - Parameters:
    ///   - name: The name, which can be printed.
    ///   - policy: What the policy of a tunnel may say.
    func refusal(of name: String, _ policy: PolicySchema) -> String {
        let beginning = "There is no setting “\(name)”\(self.ofWhom): "
        let known = self.settings(policy)
        if let spelt = self.spelling(of: name, policy) { return beginning + "it is called “\(spelt)”." }
        let homes = Self.allCases.filter { $0 != self }.compactMap { home in
            home.spelling(of: name, policy).map { (home, spelt: $0) }
        }
        let near = homes.filter { self.isNear($0.0) }
        if near.isEmpty, let familiar = FamiliarSetting.named(Self.letters(name), in: self) {
            return beginning + familiar.words(in: self)
        }
        // One slip away from a setting of this place, before the same words at another one.
        if let word = NearestWord.to(name, among: known) { return beginning + "did you mean “\(word)”?" }
        if let spelt = near.first?.spelt {
            let subject = spelt == name ? "it" : "“\(spelt)”"
            return beginning + "\(subject) belongs \(near.map(\.0.whither).joined(separator: ", or "))."
        }
        let list = beginning + "there are \(known.joined(separator: ", "))."
        guard let other = homes.first else { return list }
        return list + " “\(other.spelt)” belongs \(other.0.whither)."
    }

    /// The setting of this place that somebody has written with other signs, or, of a policy, as its flag is called.
    private func spelling(of name: String, _ policy: PolicySchema) -> String? {
        let letters = Self.letters(name)
        if let spelt = self.settings(policy).first(where: { Self.letters($0) == letters }) { return spelt }
        guard self == .policy else { return nil }
        return policy.members.first { Self.letters($0.flag) == letters }?.fileName
    }

    /// Whether somebody may have put here what belongs there: it is above or below, or beside it in the same settings.
    private func isNear(_ other: SettingHome) -> Bool {
        self.isBelow(other) || other.isBelow(self) || self.parent == other.parent && self.parent != .file
    }

    private func isBelow(_ other: SettingHome) -> Bool {
        self.parent == other || self.parent?.isBelow(other) == true
    }

    /// A name without what people forget or put elsewhere: `body_bytes` is `bodybytes`.
    static func letters(_ name: String) -> String { name.lowercased().filter(\.isLetter) }
}
