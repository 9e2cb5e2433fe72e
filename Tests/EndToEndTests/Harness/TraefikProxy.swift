// SPDX-License-Identifier: Apache-2.0

import Foundation

/// A real Traefik in front of edges, with the routers, service and transport that the chart renders.
///
/// Two entry points: `web` believes the forwarding fields of whoever connects, as Traefik does with Cloudflare's
/// networks; `stranger` believes nobody's.
final class TraefikProxy {
    let port: Int
    let strangerPort: Int
    private let folder: URL
    private let process: RunningProcess
    private let certificate: SelfSigned?
    /// What Traefik tells of answers with a status of 400 and above.
    private let accessLog: URL

    /// The public URL, without a slash at the end.
    var url: String { "\(self.certificate == nil ? "http" : "https")://127.0.0.1:\(self.port)" }

    /// Starts Traefik without any edge behind it.
    ///
    /// - Parameters:
    ///   - chart: What the chart renders.
    ///   - certificate: What `web` shows if it speaks TLS.
    init(_ chart: ChartFiles, certificate: SelfSigned? = nil, in scratch: ScratchFolder) async throws {
        let port = try FreePort.next()
        self.port = port
        self.strangerPort = try FreePort.next()
        self.folder = chart.folder
        self.certificate = certificate
        self.accessLog = scratch.file("traefik-\(port).log")
        try chart.writeDynamic(edgePorts: [], certificate: certificate)
        self.process = try RunningProcess(
            Programs.tool("traefik"),
            [
                "--entryPoints.web.address=127.0.0.1:\(port)",
                "--entryPoints.web.forwardedHeaders.trustedIPs=127.0.0.0/8",
                // What the chart's notes ask for: without it an upload ends after a minute.
                "--entryPoints.web.transport.respondingTimeouts.readTimeout=0",
                // Nor is a path with two slashes the same as one with one.
                "--entryPoints.web.http.sanitizePath=false",
                "--entryPoints.stranger.address=127.0.0.1:\(self.strangerPort)",
                "--providers.file.filename=\(chart.dynamicFile.path)", "--providers.file.watch=true",
                "--providers.providersThrottleDuration=100ms", "--log.level=ERROR", "--accesslog.format=json",
                "--accesslog.filepath=\(self.accessLog.path)", "--accesslog.filters.statuscodes=400-599",
            ] + (certificate == nil ? [] : ["--entryPoints.web.http.tls=true"]),
            in: scratch
        )
        let process = self.process
        try await eventually("Traefik on port \(port)") {
            guard process.isRunning else { throw HarnessFailure("Traefik has ended\n\(process.transcript)") }
            return try await Curl.get(self.url + "/", self.trust, in: scratch).status > 0 ? () : nil
        }
    }
}

extension TraefikProxy {
    /// How curl is told to trust it.
    private var trust: [String] { self.certificate.map { ["--cacert", $0.file.path] } ?? [] }

    /// The lines of its access log about visitors whose answer had a status of 400 or above, be it the edge's or Traefik's own.
    var failedRequests: [Substring] {
        let text = (try? String(contentsOf: self.accessLog, encoding: .utf8)) ?? ""
        return text.split(separator: "\n").filter { !$0.contains(#""RequestPath":"/api/"#) }
    }

    /// Waits until a request through Traefik reaches the API of an edge.
    func waitUntilItAnswers(in scratch: ScratchFolder) async throws {
        var status = 0
        do {
            try await eventually("the API through Traefik") {
                status = try await Curl.get("\(self.url)/api/openapi.json", self.trust, in: scratch).status
                return status == 200 ? () : nil
            }
        } catch let failure as HarnessFailure {
            throw HarnessFailure("\(failure): last status \(status)\n\(self.process.transcript)")
        }
    }
}

/// What the chart renders, as files.
final class ChartFiles {
    let folder: URL
    var dynamicFile: URL { self.folder.appendingPathComponent("dynamic.yaml") }
    /// The API key that the chart has made.
    let apiKey: String

    /// Renders the chart.
    init(in scratch: ScratchFolder) async throws {
        self.folder = try scratch.folder("chart")
        let peer = try RunningProcess(
            Programs.python,
            [
                Programs.peer("chart_settings.py"), Programs.helm,
                Programs.repository.appendingPathComponent("helm/culvert-edge").path, self.folder.path,
            ],
            in: scratch
        )
        _ = try await peer.successfulOutput(within: .seconds(60))
        self.apiKey = try String(contentsOf: self.folder.appendingPathComponent("api-key"), encoding: .utf8)
    }

    /// Tells Traefik which edges there are, as Kubernetes does with the endpoints of a Service.
    ///
    /// - Parameter certificate: What Traefik shows to those who speak TLS.
    func writeDynamic(edgePorts: [Int], certificate: SelfSigned? = nil) throws {
        let source = try Data(contentsOf: self.folder.appendingPathComponent("dynamic.json"))
        guard var root = try JSONSerialization.jsonObject(with: source) as? [String: Any],
            var http = root["http"] as? [String: Any], var services = http["services"] as? [String: Any],
            var edge = services["edge"] as? [String: Any], var balancer = edge["loadBalancer"] as? [String: Any],
            var routers = http["routers"] as? [String: Any]
        else { throw HarnessFailure("chart_settings.py wrote something else") }
        balancer["servers"] = edgePorts.map { ["url": "http://127.0.0.1:\($0)"] }
        edge["loadBalancer"] = balancer
        services["edge"] = edge
        for (name, value) in routers {
            guard var router = value as? [String: Any] else { continue }
            router["entryPoints"] = ["web", "stranger"]
            routers[name] = router
        }
        http["services"] = services
        http["routers"] = routers
        root["http"] = http
        if let certificate {
            let pair = ["certFile": certificate.file.path, "keyFile": certificate.key.path]
            root["tls"] = ["stores": ["default": ["defaultCertificate": pair]]]
        }
        // Traefik watches the folder and reads what is there: it must not see half of it.
        let data = try JSONSerialization.data(withJSONObject: root, options: [.withoutEscapingSlashes, .sortedKeys])
        let next = self.folder.appendingPathComponent("dynamic.json.next")
        try data.write(to: next)
        guard rename(next.path, self.dynamicFile.path) == 0 else { throw HarnessFailure("rename: errno \(errno)") }
    }
}

/// An edge with the configuration and the keys that the chart renders, as a pod is.
final class ChartEdge {
    let port: Int
    let adminPort: Int
    let process: RunningProcess

    /// Starts an edge and waits until it is ready.
    init(_ chart: ChartFiles, publicURL: String, port: Int? = nil, in scratch: ScratchFolder) async throws {
        self.port = try port ?? FreePort.next()
        self.adminPort = try FreePort.next()
        let folder = chart.folder.path
        self.process = try RunningProcess(
            Programs.product("culvert-edge"),
            [
                "serve", "--config", "\(folder)/edge.yaml", "--listen", "127.0.0.1:\(self.port)", "--admin-listen",
                "127.0.0.1:\(self.adminPort)", "--public-url", publicURL, "--auth-api-keys-file",
                "\(folder)/api-keys.json", "--auth-signing-keys-file", "\(folder)/signing-keys.json",
            ],
            in: scratch
        )
        let (process, admin) = (self.process, "http://127.0.0.1:\(self.adminPort)/readyz")
        try await eventually("the edge on port \(self.port)") {
            guard process.isRunning else { throw HarnessFailure("the edge has ended\n\(process.transcript)") }
            return try await Curl.get(admin, in: scratch).status == 200 ? () : nil
        }
    }

    /// The lines of its access log about requests that ended with an error of the edge.
    ///
    /// An upgraded connection that ended with its edge is none of them.
    var failedRequests: [Substring] {
        self.process.standardError.split(separator: "\n")
            .filter { $0.contains(#""message":"access""#) && $0.contains(#""error":"#) }
            .filter { !$0.contains(#""status":"101""#) }
    }
}
