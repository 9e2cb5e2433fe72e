// SPDX-License-Identifier: Apache-2.0

import EdgeTunnels
import HTTPTypes

/// Decides whether a request of the dashboard may come from its page: a value without I/O.
///
/// | what | refused because |
/// |---|---|
/// | at the admin listener a name that is not this machine's | it may have been rebound to it |
/// | at the admin listener a field that a proxy or a tunnel sets | what is for those inside would be for everybody |
/// | `Sec-Fetch-Site` of another site, or another port or host of this one | its scripts would act for who has signed in |
/// | an `Origin` that is not the host that was asked | the same, of browsers that send no `Sec-Fetch-Site` |
/// | a change without `Content-Type: application/json` | forms of other sites can send any other |
struct DashboardGuard: Sendable {
    /// Where the dashboard is asked.
    enum Entrance: Sendable {
        /// At the admin listener.
        case admin
        /// At the one host of the API.
        case apiHost
    }

    let entrance: Entrance

    /// Lets a request pass.
    ///
    /// - Throws: ``Problem``.
    func check(_ request: HTTPRequest) throws {
        let host = request.authority ?? ""
        if self.entrance == .admin {
            guard Self.isOwnName(host) else {
                throw Problem.foreignPage(
                    "The admin listener is not known as \(host.prefix(100)): open it as localhost."
                )
            }
            if let name = request.headerFields.lazy.map(\.name.canonicalName).first(where: Self.saysForwarded) {
                throw Problem.foreignPage("The request came through a proxy or a tunnel (\(name)).")
            }
        }
        let site = request.headerFields[Self.fetchSite]
        if let site, site != "same-origin", site != "none", !Self.isNavigation(request) {
            throw Problem.foreignPage("Another site, port or host asked.")
        }
        if let origin = request.headerFields[.origin] {
            let authority = origin.firstRange(of: "://").map { origin[$0.upperBound...] }
            guard let authority, authority.lowercased() == host.lowercased() else {
                throw Problem.foreignPage("A page of another origin asked.")
            }
        }
        guard request.method == .get || request.method == .head || Self.isJSON(request) else {
            throw Problem.unsupportedMediaType
        }
    }

    /// A link of another site may lead to the page itself.
    private static func isNavigation(_ request: HTTPRequest) -> Bool {
        let path = (request.path ?? "").prefix { $0 != "?" }
        return request.method == .get && request.headerFields[self.fetchMode] == "navigate"
            && request.headerFields[self.fetchDestination] == "document"
            && (path == DashboardPlane.path || path == DashboardPlane.path + "/")
    }

    private static func isJSON(_ request: HTTPRequest) -> Bool {
        let type = request.headerFields[.contentType]?.prefix { $0 != ";" }
        return type?.filter { $0 != " " }.lowercased() == "application/json"
    }

    /// Whether a host is a name of this machine alone, or an address: neither can be rebound.
    static func isOwnName(_ authority: String) -> Bool {
        if authority.hasPrefix("[") { return true }
        let name = authority.prefix { $0 != ":" }.lowercased()
        let parts = name.split(separator: ".", omittingEmptySubsequences: false)
        let isAddress = parts.count == 4 && parts.allSatisfy { UInt8($0) != nil }
        return isAddress || name == "localhost" || name.hasSuffix(".localhost")
    }

    private static func saysForwarded(_ name: String) -> Bool {
        name == "forwarded" || name == "via" || name == "x-real-ip" || name.hasPrefix("x-forwarded-")
    }

    // The initialiser fails for names that are not tokens (RFC 9110 §5.6.2); these are.
    // swift-format-ignore: NeverForceUnwrap
    private static let fetchSite = HTTPField.Name("Sec-Fetch-Site")!
    // swift-format-ignore: NeverForceUnwrap
    private static let fetchMode = HTTPField.Name("Sec-Fetch-Mode")!
    // swift-format-ignore: NeverForceUnwrap
    private static let fetchDestination = HTTPField.Name("Sec-Fetch-Dest")!
}
