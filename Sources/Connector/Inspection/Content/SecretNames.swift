// SPDX-License-Identifier: Apache-2.0

import Foundation
import HTTP1

/// Which values are secrets, and what is shown in their place.
package enum SecretNames {
    private static let fields: Set<String> = [
        "authorization", "proxy-authorization", "cookie", "set-cookie", "x-api-key", "x-auth-token", "x-csrf-token",
        "x-amz-security-token", "api-key", "apikey",
    ]
    private static let fieldEndings = ["-token", "-secret", "-api-key", "-password"]
    /// Fields whose values are references, with queries and fragments.
    private static let references: Set<String> = ["location", "content-location", "referer"]
    private static let members: Set<String> = [
        "access_token", "id_token", "refresh_token", "token", "api_key", "apikey", "key", "secret", "password",
        "passwd",
        "code", "client_secret", "sig", "signature",
    ]

    /// What stands for a secret.
    package static let mask = "••••••••"

    /// Whether the value of a field is a secret.
    package static func isField(_ name: String) -> Bool {
        let name = name.asciiLowercased()
        return Self.fields.contains(name) || Self.fieldEndings.contains(where: name.hasSuffix)
    }

    /// Whether the value of a member of a query or form is a secret.
    package static func isMember(_ name: String) -> Bool {
        Self.members.contains((name.removingPercentEncoding ?? name).asciiLowercased())
    }

    /// The value of a field as it may be shown: the scheme of credentials, names of cookies and their attributes stay.
    package static func masked(_ name: String, _ value: String) -> String {
        guard Self.isField(name) else {
            return Self.references.contains(name.asciiLowercased()) ? Self.maskedTarget(value) : value
        }
        switch name.asciiLowercased() {
        case "authorization", "proxy-authorization":
            guard let space = value.firstIndex(of: " ") else { return Self.mask }
            return value[...space] + Self.mask
        case "cookie":
            return value.split(separator: ";").map { Self.maskedPair($0.trimmingSpaces()) }.joined(separator: "; ")
        case "set-cookie":
            let parts = value.split(separator: ";", maxSplits: 1, omittingEmptySubsequences: false)
            return Self.maskedPair(parts[0].trimmingSpaces()) + (parts.count > 1 ? ";" + parts[1] : "")
        default:
            return Self.mask
        }
    }

    /// A query, fragment or form as it may be shown.
    package static func maskedMembers(_ text: String) -> String {
        var masked = ""
        var rest = text[...]
        while true {
            let end = rest.firstIndex { $0 == "&" || $0 == "#" } ?? rest.endIndex
            let member = rest[..<end]
            if let equals = member.firstIndex(of: "="), Self.isMember(String(member[..<equals])) {
                masked += member[...equals] + Self.mask
            } else {
                masked += member
            }
            guard end < rest.endIndex else { return masked }
            masked.append(rest[end])
            rest = rest[rest.index(after: end)...]
        }
    }

    /// A request target, or another reference, as it may be shown.
    package static func maskedTarget(_ target: String) -> String {
        guard let start = target.firstIndex(where: { $0 == "?" || $0 == "#" }) else { return target }
        return target[...start] + Self.maskedMembers(String(target[target.index(after: start)...]))
    }

    private static func maskedPair(_ pair: String) -> String {
        guard let equals = pair.firstIndex(of: "=") else { return Self.mask }
        return pair[...equals] + Self.mask
    }
}
