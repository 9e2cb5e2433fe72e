// SPDX-License-Identifier: Apache-2.0

import Foundation
import Testing

extension EndToEnd {
    @Suite("The edge's own TLS", .serialized)
    struct OwnTLS {
        /// A certificate that signs itself, for 127.0.0.1.
        private func makeCertificate(
            _ name: String,
            in scratch: ScratchFolder
        ) async throws -> (certificate: URL, key: URL) {
            let (certificate, key) = (scratch.file("\(name).pem"), scratch.file("\(name).key"))
            let openssl = try RunningProcess(
                "openssl",
                [
                    "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-days", "2",
                    "-subj", "/CN=\(name)", "-addext", "subjectAltName=IP:127.0.0.1", "-keyout", key.path, "-out",
                    certificate.path,
                ],
                in: scratch
            )
            _ = try await openssl.successfulOutput(within: .seconds(20))
            return (certificate, key)
        }

        /// What openssl says of a handshake in which it offers HTTP/2 first.
        private func handshake(with edge: EdgeProcess, in scratch: ScratchFolder) async throws -> String {
            let openssl = try RunningProcess(
                "openssl",
                ["s_client", "-connect", "127.0.0.1:\(edge.port)", "-alpn", "h2,http/1.1"],
                in: scratch
            )
            return try await openssl.successfulOutput(within: .seconds(20))
        }

        @Test("The edge's own TLS serves visitors, the API and connectors")
        func ownTLS() async throws {
            let scratch = try ScratchFolder()
            let origin = try await NginxOrigin(in: scratch)
            let (certificate, key) = try await self.makeCertificate("127.0.0.1", in: scratch)
            let edge = try await EdgeProcess(
                in: scratch,
                arguments: ["--dev", "--tls-certificate", certificate.path, "--tls-key", key.path],
                scheme: "https"
            )
            let trust = ["--cacert", certificate.path]
            let tunnel = try await edge.createTunnel(options: trust, in: scratch)
            #expect(tunnel.url?.hasPrefix("https://\(tunnel.id).localhost:") == true)
            let connector = try RunningProcess(
                Programs.product("culvert"),
                ["connect", "--to", "\(origin.port)", "--ca-file", certificate.path],
                environment: ["CULVERT_TOKEN": tunnel.token],
                in: scratch
            )
            let url = "\(edge.url)/\(tunnel.id)/saw/"
            try await eventually("an answer over TLS") {
                let answer = try await Curl.get(url, trust, in: scratch)
                return answer.status == 200 && answer["Saw-Forwarded-Proto"] == "https" ? () : nil
            }
            #expect(try await Curl.get(url, in: scratch).exitCode == 60, "a certificate that nobody trusts")
            #expect(connector.isRunning)

            // A client that would rather speak HTTP/2 is told what there is.
            let first = try await self.handshake(with: edge, in: scratch)
            #expect(first.contains("ALPN protocol: http/1.1"))
            #expect(first.contains("subject=CN = 127.0.0.1"))

            let next = try await self.makeCertificate("next", in: scratch)
            try FileManager.default.removeItem(at: certificate)
            try FileManager.default.removeItem(at: key)
            try FileManager.default.moveItem(at: next.certificate, to: certificate)
            try FileManager.default.moveItem(at: next.key, to: key)
            try await eventually("the new certificate") {
                try await self.handshake(with: edge, in: scratch).contains("subject=CN = next") ? () : nil
            }
            #expect(connector.isRunning)
            #expect(try await Curl.get(url, trust, in: scratch).status == 200)
        }
    }
}
