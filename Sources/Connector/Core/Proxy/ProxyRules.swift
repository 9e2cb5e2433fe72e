// SPDX-License-Identifier: Apache-2.0

/// Chooses the proxy for an edge from the environment.
///
/// It reads the variables that curl and most other programs read, in both spellings; the lower-case one has precedence.
package struct ProxyRules: Sendable {
    /// No proxies at all.
    package static let direct = ProxyRules(environment: [:])

    private let environment: [String: String]
    private let exceptions: ProxyExceptions

    /// Reads the variables of an environment.
    package init(environment: [String: String]) {
        let names = ["https_proxy", "HTTPS_PROXY", "http_proxy", "HTTP_PROXY", "all_proxy", "ALL_PROXY"]
        var kept = environment.filter { names.contains($0.key) && !$0.value.isEmpty }
        // A web server passes a request's field `Proxy` to its CGI programs as HTTP_PROXY, so any client can set it.
        if environment["REQUEST_METHOD"] != nil { kept["HTTP_PROXY"] = nil }
        self.environment = kept
        let exceptions = [environment["no_proxy"], environment["NO_PROXY"]].lazy.compactMap(\.self)
        self.exceptions = ProxyExceptions(exceptions.first { !$0.isEmpty } ?? "")
    }

    /// The proxy for an edge; `nil` if it is reached directly.
    ///
    /// This machine itself is never reached through a proxy.
    ///
    /// - Throws: ``CommandFailure`` that names the variable if its value is not the address of a proxy.
    package func proxy(for edge: EdgeAddress) throws(CommandFailure) -> ProxyAddress? {
        let names = (edge.usesTLS ? ["https_proxy", "HTTPS_PROXY"] : ["http_proxy", "HTTP_PROXY"])
        guard let name = (names + ["all_proxy", "ALL_PROXY"]).first(where: { self.environment[$0] != nil }),
            let text = self.environment[name],
            !Authority(host: edge.host, port: edge.port).isLoopback,
            !self.exceptions.contain(host: edge.host, port: edge.port)
        else { return nil }
        do {
            return try ProxyAddress(parsing: text)
        } catch {
            throw CommandFailure(.configuration, "The variable \(name) is not the address of a proxy: \(error).")
        }
    }
}
