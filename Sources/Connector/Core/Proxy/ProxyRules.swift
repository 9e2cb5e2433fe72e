// SPDX-License-Identifier: Apache-2.0

/// Which proxy an edge is reached through, as the environment says it.
///
/// The variables are those that curl and most other programs know, in both spellings; the lower-case one comes first.
package struct ProxyRules: Sendable {
    /// No proxies at all.
    package static let direct = ProxyRules(environment: [:])

    private let environment: [String: String]
    private let exceptions: ProxyExceptions

    /// Reads the variables of an environment.
    package init(environment: [String: String]) {
        let names = ["https_proxy", "HTTPS_PROXY", "http_proxy", "HTTP_PROXY", "all_proxy", "ALL_PROXY"]
        var kept = environment.filter { names.contains($0.key) && !$0.value.isEmpty }
        // A web server gives its CGI programs a request's field `Proxy` as HTTP_PROXY: then anybody may have set it.
        if environment["REQUEST_METHOD"] != nil { kept["HTTP_PROXY"] = nil }
        self.environment = kept
        let exceptions = [environment["no_proxy"], environment["NO_PROXY"]].lazy.compactMap(\.self)
        self.exceptions = ProxyExceptions(exceptions.first { !$0.isEmpty } ?? "")
    }

    /// The proxy for an edge; nothing if it is to be reached directly.
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
