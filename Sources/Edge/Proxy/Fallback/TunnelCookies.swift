// SPDX-License-Identifier: Apache-2.0
import ControlAPI
import HTTP1
import NIOCore

/// Keeps the cookies of tunnels that share a browser origin apart.
///
/// A cookie of an app has the path `/<id>/…`, so that no other tunnel sees it; but a request that lacks the prefix, as
/// that of a WebSocket, would come without. So the browser gets it a second time with the path that the app meant and a
/// name of ours, `culvert.<id>.<name>`, which the edge gives to that tunnel's app alone, under its own name.
struct TunnelCookies {
    /// What the names of all such cookies begin with.
    private static let prefix = "culvert."

    let id: TunnelID

    /// What the names of this tunnel's second cookies begin with.
    private var ownPrefix: String { "\(Self.prefix)\(self.id)." }

    // MARK: To the browser

    /// The second `Set-Cookie` for a cookie of the app; `nil` for one that needs none or that browsers would not take.
    ///
    /// - Parameter value: The value of `Set-Cookie` as the app sent it.
    func second(of value: String) -> String? {
        let parts = value.split(separator: ";", omittingEmptySubsequences: false)
        guard let pair = parts.first, let equals = pair.firstIndex(of: "=") else { return nil }
        let name = pair[..<equals].trimmingSpaces()
        // One for `/` has that path in any case, and one of ours is never an app's.
        guard !name.isEmpty, !name.asciiLowercased().hasPrefix("__host-"), !Self.isOurs(name[...]) else { return nil }
        var path = "/"
        var attributes: [String] = []
        for part in parts.dropFirst() {
            let text = part.trimmingSpaces()
            let key = text.prefix { $0 != "=" }.trimmingSpaces().asciiLowercased()
            switch key {
            case "path":
                let value = text.drop { $0 != "=" }.dropFirst().trimmingSpaces()
                path = value.hasPrefix("/") ? self.withoutPrefix(value) : "/"
            case "domain", "httponly", "": continue
            default: attributes.append(text)
            }
        }
        let value = pair[pair.index(after: equals)...].trimmingSpaces()
        return (["\(self.ownPrefix)\(name)=\(value)", "Path=\(path)", "HttpOnly"] + attributes).joined(separator: "; ")
    }

    /// The cookie with a path, if it has none that browsers take (RFC 6265 §5.2.4).
    static func withPath(_ path: String, _ value: String) -> String {
        let paths = value.split(separator: ";").dropFirst().filter {
            $0.prefix { $0 != "=" }.trimmingSpaces().asciiLowercased() == "path"
        }
        // The last one counts.
        let isUsable = paths.last?.drop { $0 != "=" }.dropFirst().trimmingSpaces().hasPrefix("/") ?? false
        let isHostOnly = value.trimmingSpaces().asciiLowercased().hasPrefix("__host-")
        return isUsable || isHostOnly ? value : "\(value); Path=\(path)"
    }

    /// The path without the tunnel's prefix, which an app that sees it has put there itself.
    private func withoutPrefix(_ path: String) -> String {
        let start = "/\(self.id)"
        guard path.hasPrefix(start) else { return path }
        let rest = path.dropFirst(start.count)
        return rest.isEmpty ? "/" : rest.hasPrefix("/") ? String(rest) : path
    }

    /// Whether the app tries to set a cookie with a name of ours.
    static func isOurs(setCookie value: String) -> Bool {
        // A cookie without a name is sent back as if its value were one.
        let pair = value.prefix { $0 != ";" }.trimmingSpaces().drop { $0 == "=" }
        return self.isOurs(pair.prefix { $0 != "=" }.trimmingSpaces()[...])
    }

    // MARK: To the app

    /// Whether a `Cookie` field has anything of ours, which no app is shown.
    static func concern(_ line: FieldLine, of section: FieldSection) -> Bool {
        let needle = Array("culvert".utf8)
        return section.bytes.withUnsafeReadableBytes { bytes in
            let start = Int(line.value.start)
            let value = bytes[start..<start + Int(line.value.count)]
            guard value.count >= needle.count else { return false }
            return (value.startIndex...value.endIndex - needle.count).contains { index in
                value[index] == needle[0] && value[index..<index + needle.count].elementsEqual(needle)
            }
        }
    }

    /// The value of `Cookie` for the app: without what is the edge's or another tunnel's; this tunnel's second cookies,
    /// where the first ones are not there, have the app's names.
    ///
    /// - Parameters:
    ///   - value: The value as the browser sent it.
    ///   - takesSeconds: Whether the request lacks the prefix, so that the browser does not send the first ones.
    /// - Returns: An empty text if nothing is left.
    func forApp(_ value: String, takesSeconds: Bool) -> String {
        let pairs = value.split(separator: ";").map { $0.trimmingSpaces() }
        let own = pairs.filter { !Self.isOurs(Self.name(of: $0)) }
        guard takesSeconds else { return own.joined(separator: "; ") }
        let names = Set(own.map { Self.name(of: $0) })
        let seconds = pairs.filter { $0.hasPrefix(self.ownPrefix) }
            .map { String($0.dropFirst(self.ownPrefix.count)) }
            .filter { !names.contains(Self.name(of: $0)) }
        return (own + seconds).joined(separator: "; ")
    }

    private static func name(of pair: String) -> Substring { pair.prefix { $0 != "=" } }

    private static func isOurs(_ name: Substring) -> Bool {
        name.hasPrefix(self.prefix) || name == SignedRecentTunnels.name
    }

    /// The values of the cookies that name the tunnels that a browser opened.
    static func recentTunnels(_ fields: [String]) -> [Substring] {
        let start = "\(SignedRecentTunnels.name)="
        return fields.flatMap { $0.split(separator: ";") }
            .map { $0.drop { $0 == " " } }
            .filter { $0.hasPrefix(start) }
            .map { $0.dropFirst(start.count) }
    }
}
