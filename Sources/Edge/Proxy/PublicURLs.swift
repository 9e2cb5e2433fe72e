// SPDX-License-Identifier: Apache-2.0
import Protocol

/// Turns what an origin says about itself into what the visitor can use (design: data plane, step 6).
///
/// Only references that would lead a visitor astray are changed: absolute paths that lack the tunnel's prefix, and URLs
/// that name the origin or ourselves. Relative references already work and are never touched.
struct PublicURLs: Equatable {
    /// `/<id>`, or empty if the tunnel has a host of its own or the origin sees the prefix itself.
    var prefix: String
    /// Whether the tunnel shares its host with others.
    var isPathMode: Bool
    /// How the visitor came, and to which host.
    var scheme: String
    var host: String
    /// What the origin believes its host to be.
    var originHost: String

    /// The reference as the visitor should see it.
    func publicURL(_ reference: String) -> String {
        if let (authority, rest) = Self.authority(of: reference) {
            guard self.isOurs(authority) else { return reference }
            return "\(self.scheme)://\(self.host)\(self.publicPath(rest.isEmpty ? "/" : rest))"
        }
        guard reference.hasPrefix("/") else { return reference }
        return self.publicPath(reference)
    }

    /// `<url>; parameters, <url>; parameters` (RFC 8288).
    func publicLinks(_ value: String) -> String {
        var output = ""
        var rest = value[...]
        while let open = rest.firstIndex(of: "<"), let close = rest[open...].firstIndex(of: ">") {
            let start = rest.index(after: open)
            output += rest[..<start] + self.publicURL(String(rest[start..<close]))
            rest = rest[close...]
        }
        return output + rest
    }

    /// `seconds; url=reference`.
    func publicRefresh(_ value: String) -> String {
        guard let range = Self.find("url=", in: value) else { return value }
        var reference = value[range.upperBound...].trimmingSpaces()
        var quote = ""
        if let first = reference.first, first == "\"" || first == "'", reference.last == first, reference.count > 1 {
            quote = String(first)
            reference = String(reference.dropFirst().dropLast())
        }
        return value[..<range.upperBound] + quote + self.publicURL(reference) + quote
    }

    /// A cookie that stays within the tunnel: its path gets the prefix, a domain that would share it is left out.
    ///
    /// `__Host-` cookies must have the path `/` and are passed as they are: changing them would only make browsers
    /// drop them.
    func publicCookie(_ value: String) -> String {
        var parts = value.split(separator: ";", omittingEmptySubsequences: false).map(String.init)
        guard let pair = parts.first else { return value }
        let isHostCookie = pair.trimmingSpaces().lowercased().hasPrefix("__host-")
        parts = parts.enumerated().compactMap { index, part in
            guard index > 0 else { return part }
            let attribute = part.trimmingSpaces()
            let lowered = attribute.lowercased()
            if lowered.hasPrefix("path="), !isHostCookie {
                let path = String(attribute.dropFirst(5))
                return path.hasPrefix("/") ? " Path=\(self.publicPath(path))" : part
            }
            if lowered.hasPrefix("domain=") {
                let domain = String(lowered.dropFirst(7).drop { $0 == "." })
                return self.isPathMode || domain == Self.name(self.originHost).lowercased() ? nil : part
            }
            return part
        }
        let changed = parts.joined(separator: ";")
        return changed
    }

    // MARK: Parts of references

    /// The path with the tunnel's prefix, which it gets once only.
    private func publicPath(_ path: String) -> String {
        guard !self.prefix.isEmpty else { return path }
        guard path.hasPrefix(self.prefix) else { return self.prefix + path }
        let next = path.dropFirst(self.prefix.count).first
        return next == nil || next == "/" || next == "?" || next == "#" ? path : self.prefix + path
    }

    private func isOurs(_ authority: String) -> Bool {
        let authority = authority.lowercased()
        return authority == self.originHost.lowercased() || authority == self.host.lowercased()
    }

    /// Authority and what follows it, of `scheme://authority…` or `//authority…`.
    private static func authority(of reference: String) -> (authority: String, rest: String)? {
        let lowered = reference.lowercased()
        let start: String.Index
        if lowered.hasPrefix("http://") {
            start = reference.index(reference.startIndex, offsetBy: 7)
        } else if lowered.hasPrefix("https://") {
            start = reference.index(reference.startIndex, offsetBy: 8)
        } else if lowered.hasPrefix("//") {
            start = reference.index(reference.startIndex, offsetBy: 2)
        } else {
            return nil
        }
        let rest = reference[start...]
        let end = rest.firstIndex { $0 == "/" || $0 == "?" || $0 == "#" } ?? rest.endIndex
        let tail = rest[end...]
        return (String(rest[..<end]), tail.hasPrefix("/") || tail.isEmpty ? String(tail) : "/" + tail)
    }

    private static func name(_ host: String) -> Substring { host.prefix { $0 != ":" } }

    private static func find(_ needle: String, in text: String) -> Range<String.Index>? {
        var index = text.startIndex
        while index < text.endIndex {
            if let end = text.index(index, offsetBy: needle.count, limitedBy: text.endIndex),
                text[index..<end].lowercased() == needle
            {
                return index..<end
            }
            index = text.index(after: index)
        }
        return nil
    }
}
