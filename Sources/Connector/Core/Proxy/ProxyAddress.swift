// SPDX-License-Identifier: Apache-2.0

import Foundation

/// An HTTP proxy that connections to the edge go through, with the credentials for it.
package struct ProxyAddress: Hashable, Sendable, CustomStringConvertible {
    package var host: String
    package var port: Int
    /// The name and password in the proxy's URL, if there are any.
    package var credentials: ProxyCredentials?

    package init(host: String, port: Int, credentials: ProxyCredentials? = nil) {
        self.host = host
        self.port = port
        self.credentials = credentials
    }

    /// Reads `http://host[:port]`, `http://user:password@host[:port]`, or the same without `http://`.
    ///
    /// - Throws: ``ProxyAddressError``, which never holds the text: there may be a password in it.
    package init(parsing text: String) throws(ProxyAddressError) {
        var rest = Substring(text)
        if let end = rest.range(of: "://") {
            switch rest[..<end.lowerBound].lowercased() {
            case "http": rest = rest[end.upperBound...]
            case "https": throw .encrypted
            default: throw .otherProtocol
            }
        }
        // A password may hold a slash or an @ that is not percent-encoded; a host can't.
        if let at = rest.lastIndex(of: "@") {
            self.credentials = try ProxyCredentials(parsing: rest[..<at])
            rest = rest[rest.index(after: at)...]
        }
        if let slash = rest.firstIndex(of: "/") { rest = rest[..<slash] }
        guard let authority = try? Authority(parsing: rest) else { throw .badHost }
        self.host = authority.host
        self.port = authority.port ?? 80
    }

    /// The proxy's URL without the password.
    package var description: String {
        "http://" + Authority(host: self.host, port: self.port).text(omittingPort: nil)
    }
}

/// The user name and password for a proxy (RFC 7617).
package struct ProxyCredentials: Hashable, Sendable, CustomStringConvertible, CustomReflectable {
    let user: String
    let password: String

    package init(user: String, password: String) {
        self.user = user
        self.password = password
    }

    /// Reads `user:password` as it is in a URL, percent-encoded.
    fileprivate init(parsing text: Substring) throws(ProxyAddressError) {
        let parts = text.split(separator: ":", maxSplits: 1, omittingEmptySubsequences: false)
        guard let user = parts[0].removingPercentEncoding,
            let password = parts.count == 2 ? parts[1].removingPercentEncoding : "",
            !user.isEmpty, !user.contains(":"),
            (user + password).unicodeScalars.allSatisfy({ $0.properties.generalCategory != .control })
        else { throw .badCredentials }
        self.init(user: user, password: password)
    }

    /// The value of `Proxy-Authorization`.
    var fieldValue: String {
        "Basic " + Data("\(self.user):\(self.password)".utf8).base64EncodedString()
    }

    // Printing a value that contains this one prints no password.
    package var description: String { "(not shown)" }
    package var customMirror: Mirror { Mirror(self, children: []) }
}

/// The text of a variable that is not the address of a proxy.
package enum ProxyAddressError: Error, Equatable, CustomStringConvertible {
    case encrypted
    case otherProtocol
    case badHost
    case badCredentials

    package var description: String {
        switch self {
        case .encrypted: "TLS to the proxy itself is not spoken here; write it with http://"
        case .otherProtocol: "only HTTP proxies are understood; write http://host:port"
        case .badHost: "its host or port can't be read; write http://host:port"
        case .badCredentials: "its user name or password can't be read; write special characters as %XX"
        }
    }
}
