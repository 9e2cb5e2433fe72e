// SPDX-License-Identifier: Apache-2.0

import Foundation
import Testing

extension EndToEnd {
    @Suite("Requests", .serialized)
    struct Requests {
        static let methods = ["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "BREW"]

        @Test("Every method reaches the origin unchanged, an invented one too, with its target and body")
        func methods() async throws {
            let scratch = try ScratchFolder()
            let origin = try await NginxOrigin(in: scratch)
            let tunnel = try await TunnelFixture(originPort: origin.port, in: scratch)
            try await tunnel.waitUntilItAnswers(at: "saw/")
            for method in Self.methods {
                let hasBody = !["GET", "HEAD"].contains(method)
                let arguments = method == "HEAD" ? ["--head"] : ["--request", method]
                let body = hasBody ? ["--data-binary", "body of \(method)"] : []
                let answer = try await Curl.get(
                    tunnel.url + "saw/%2Fa//b;c?x=%20&y=",
                    arguments + body,
                    in: scratch
                )
                #expect(answer.status == 200, "\(method)")
                #expect(answer["Saw-Method"] == method)
                #expect(answer["Saw-Target"] == "/saw/%2Fa//b;c?x=%20&y=", "\(method)")
                #expect(answer["Saw-Body"] == (hasBody ? "body of \(method)" : nil), "\(method)")
                // For HEAD curl puts the head where the body goes; that it ends shows that it waits for no body.
                if method != "HEAD" { #expect(answer.body == "the origin was here", "\(method)") }
            }
        }

        @Test("What the flags of culvert http say is what visitors meet: passwords, addresses and the Host")
        func policyFlags() async throws {
            let scratch = try ScratchFolder()
            let origin = try await NginxOrigin(in: scratch)
            try Data("guest:let me in\n".utf8).write(to: scratch.file("visitors.txt"))
            let tunnel = try await TunnelFixture(
                originPort: origin.port,
                options: [
                    "--basic-auth-file", scratch.file("visitors.txt").path, "--basic-auth", "other:x", "--ip-deny",
                    "127.0.0.2", "--host-header", "app.internal",
                ],
                in: scratch
            )
            let url = tunnel.url + "saw/"
            for user in ["guest:let me in", "other:x"] {
                let answer = try await eventually("an answer to \(user)") {
                    let answer = try await Curl.get(url, ["--user", user], in: scratch)
                    return answer.status == 200 ? answer : nil
                }
                #expect(answer["Saw-Host"] == "app.internal")
            }
            #expect(try await Curl.get(url, in: scratch).status == 401)
            #expect(try await Curl.get(url, ["--user", "guest:let me out"], in: scratch).status == 401)
            let denied = ["--user", "guest:let me in", "--interface", "127.0.0.2"]
            #expect(try await Curl.get(url, denied, in: scratch).status == 403)
            #expect(tunnel.connector.standardError.contains("--basic-auth stays in the history of the shell"))
        }

        @Test("A bare tunnel id is sent on to its folder")
        func bareTunnelID() async throws {
            let scratch = try ScratchFolder()
            let origin = try await NginxOrigin(in: scratch)
            let tunnel = try await TunnelFixture(originPort: origin.port, in: scratch)
            try await tunnel.waitUntilItAnswers(at: "saw/")
            let answer = try await Curl.get(String(tunnel.url.dropLast()), in: scratch)
            #expect(answer.status == 308)
            #expect(answer["Location"]?.hasSuffix("/") == true)
        }

        @Test("The origin is asked by its own name, and told the visitor's address and the prefix, not what he claims")
        func forwardingFields() async throws {
            let scratch = try ScratchFolder()
            let origin = try await NginxOrigin(in: scratch)
            let tunnel = try await TunnelFixture(originPort: origin.port, in: scratch)
            try await tunnel.waitUntilItAnswers(at: "saw/")
            let claim = ["--header", "X-Forwarded-For: 192.0.2.1", "--header", "X-Forwarded-Proto: https"]
            let answer = try await Curl.get(tunnel.url + "saw/", claim, in: scratch)
            #expect(answer["Saw-Host"] == "localhost:\(origin.port)")
            #expect(answer["Saw-Forwarded-For"] == "127.0.0.1")
            #expect(answer["Saw-Forwarded-Proto"] == "http")
            #expect(answer["Saw-Forwarded-Prefix"] == tunnel.path)
        }

        @Test("A redirect and a cookie of the origin stay within the tunnel")
        func redirect() async throws {
            let scratch = try ScratchFolder()
            let origin = try await NginxOrigin(in: scratch)
            let tunnel = try await TunnelFixture(originPort: origin.port, in: scratch)
            try await tunnel.waitUntilItAnswers(at: "saw/")
            let answer = try await Curl.get(tunnel.url + "moved", in: scratch)
            #expect(answer.status == 302)
            #expect(answer["Location"] == "\(tunnel.path)/saw/there")
            #expect(answer["Set-Cookie"] == "a=b; Path=\(tunnel.path)/")
        }
    }
}
