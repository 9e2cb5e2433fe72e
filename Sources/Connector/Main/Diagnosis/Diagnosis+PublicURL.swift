// SPDX-License-Identifier: Apache-2.0

import ConnectorCore
import ControlAPI
import Foundation
import Mux
import NIOCore

extension Diagnosis {
    /// Makes a tunnel for the moment, serves a file that nobody else has, and asks for it at the public URL: everything
    /// that a visitor's request meets, but for the local server.
    ///
    /// - Parameter spread: Whether connections reach several edges, where that is not known yet.
    func passThrough(_ spread: inout DiagnosisStep?) async -> DiagnosisStep {
        guard let credentials = self.credentials else {
            return DiagnosisStep(name: "public URL", verdict: .skipped, finding: "it needs an API key")
        }
        return await self.step("public URL", as: .publicURL) {
            let place = NSTemporaryDirectory() + "culvert-diagnose-\(UUID().uuidString.prefix(8))"
            let secret = UUID().uuidString
            let files = FileManager.default
            try files.createDirectory(
                atPath: place,
                withIntermediateDirectories: false,
                attributes: [.posixPermissions: 0o700]
            )
            defer { try? files.removeItem(atPath: place) }
            try Data(secret.utf8).write(to: URL(fileURLWithPath: place + "/diagnosis.txt"))
            let folder = try await FolderServer.start(sharing: place)
            defer { folder.stop() }
            let request = TunnelCreation.request(name: nil, target: folder.target, policy: TunnelPolicy())
            let tunnel = try await self.withClient(credentials) { client async throws(EdgeFailure) in
                try await client.create(request)
            }
            let outcome: Result<String, any Error>
            do {
                outcome = .success(try await self.fetch(tunnel, folder.target, secret, &spread))
            } catch {
                outcome = .failure(error)
            }
            let remains = await self.delete(tunnel.tunnelID, credentials)
            return try outcome.get() + remains
        }
    }

    /// Deletes the tunnel of the moment, for which it has a longer patience than for anything that is only found out.
    ///
    /// - Returns: What is said if it stays behind, as the end of a finding.
    private func delete(_ tunnelID: String, _ credentials: Credentials) async -> String {
        do {
            try await self.withClient(credentials, patience: .seconds(60)) { client async throws(EdgeFailure) in
                try await client.delete(tunnelID)
            }
            return ""
        } catch EdgeFailure.refused(let status, _, _) where status == 401 || status == 404 {
            // Where the key needs a one-time code for this, too, the edge forgets the tunnel by itself.
            return ""
        } catch {
            return ", which could not be deleted: culvert tunnels delete \(tunnelID) does that"
        }
    }

    private func fetch(
        _ tunnel: CreateTunnelResponse,
        _ target: OriginTarget,
        _ secret: String,
        _ spread: inout DiagnosisStep?
    ) async throws -> String {
        let token = try TunnelToken(parsing: tunnel.token)
        let session = try await self.open(token, targets: [TargetName.primary: target])
        defer { session.drain(gracePeriod: .seconds(1)) }
        var isActive = false
        var edge: EdgePlace?
        for await event in session.events {
            if case .active(let place) = event {
                isActive = true
                edge = place
                break
            }
            if case .ended(let code, let reason) = event {
                throw ReconnectPolicy.failure(ending: code, reason: reason)
            }
        }
        guard isActive else {
            throw EdgeFailure.notAnEdge(address: self.edge.description, reason: "it ended the session at once")
        }
        let url = tunnel.url
        let visit = PublicRequest(
            edge: self.edge,
            certificateAuthorityFile: self.certificateAuthorityFile,
            proxy: self.proxy
        )
        let (status, body): (Int, String) = try await self.visit(visit, url + "diagnosis.txt")
        guard status == 200, body == secret else {
            if let problem = try? JSONDecoder().decode(ProblemDetails.self, from: Data(body.utf8)) {
                throw EdgeFailure.refused(status: status, retryAfter: nil, problem: problem)
            }
            throw EdgeFailure.notAnEdge(address: url, reason: "another server answered there, with HTTP \(status)")
        }
        if spread == nil { spread = await self.spread(token, from: edge) }
        return "a request passed through a tunnel made for the moment, \(url)"
    }

    /// Asks as a visitor does.
    private func visit(_ request: PublicRequest, _ url: String) async throws(EdgeFailure) -> (Int, String) {
        do {
            return try await request.get(url)
        } catch {
            throw Self.asVisitor(error)
        }
    }

    /// The edge itself names the URL: to dial another one, as a connector may, helps no visitor.
    static func asVisitor(_ failure: EdgeFailure) -> EdgeFailure {
        guard case .otherScheme(let address, let right) = failure, !right.hasPrefix("https") else { return failure }
        return .tls(address: address, reason: "the edge tells visitors this URL, and there is no TLS at it")
    }
}
