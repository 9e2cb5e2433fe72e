// SPDX-License-Identifier: Apache-2.0
import HTTP1

/// Turns what a visitor says of the tunnel's own URLs into what the origin believes of itself: the other direction of
/// ``ResponseURLs``.
///
/// A server that compares `Origin` or `Referer` with `Host` finds them equal, as they are for the visitor. What names
/// another site stays as it is, so that the server's own protection against those works.
struct RequestURLs: Equatable {
    /// Where the visitor sees the tunnel.
    let visitorOrigin: PublicOrigin
    /// `/<id>`, or empty if the origin sees the same paths as the visitor.
    let prefix: String
    /// The origin that the local server believes in; `nil` leaves the visitor's.
    private(set) var origin: String?

    /// The value of `Origin`.
    func origin(_ value: String) -> String {
        guard let origin, self.visitorOrigin.matches(value) else { return value }
        return origin
    }

    /// The value of `Referer`.
    func referer(_ value: String) -> String {
        guard let origin, let rest = self.visitorOrigin.rest(of: value) else { return value }
        return origin + (self.withoutPrefix(rest) ?? String(rest))
    }

    /// The value of `Destination` (RFC 4918 §10.3), a URL or an absolute path; one outside of the tunnel stays.
    func destination(_ value: String) -> String {
        if value.hasPrefix("/"), !value.hasPrefix("//") { return self.withoutPrefix(value[...]) ?? value }
        guard let rest = self.visitorOrigin.rest(of: value), let path = self.withoutPrefix(rest) else { return value }
        return (self.origin ?? String(value.prefix(value.count - rest.count))) + path
    }

    /// The value of `If` (RFC 4918 §10.4): the resources in it that stand outside of lists.
    func conditions(_ value: String) -> String {
        var output = ""
        var rest = value[...]
        var depth = 0
        while let character = rest.first {
            switch character {
            case "(": depth += 1
            case ")": depth -= 1
            case "<" where depth == 0:
                guard let close = rest.firstIndex(of: ">") else { return output + rest }
                output += "<" + self.destination(String(rest[rest.index(after: rest.startIndex)..<close]))
                rest = rest[close...]
                continue
            default: break
            }
            output.append(character)
            rest.removeFirst()
        }
        return output
    }

    /// The path without the prefix; `nil` if it lies elsewhere.
    private func withoutPrefix(_ path: Substring) -> String? {
        guard !self.prefix.isEmpty else { return String(path) }
        guard path.hasPrefix(self.prefix) else { return nil }
        let rest = path.dropFirst(self.prefix.count)
        guard let next = rest.first else { return "/" }
        return next == "/" ? String(rest) : next == "?" || next == "#" ? "/" + rest : nil
    }
}
