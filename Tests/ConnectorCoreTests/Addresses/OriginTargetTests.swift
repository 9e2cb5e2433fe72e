// SPDX-License-Identifier: Apache-2.0

import Testing

@testable import ConnectorCore

@Suite("The target of a tunnel")
struct OriginTargetTests {
    @Test(
        "A target is the edge itself if both lead to one port of one machine",
        arguments: [
            ("8989", "http://127.0.0.1:8989", true), ("127.0.0.1:8989", "http://edge.localhost:8989", true),
            ("https://edge.example.com", "https://edge.example.com", true), ("8988", "http://127.0.0.1:8989", false),
            ("8989", "http://192.0.2.1:8989", false), ("unix:/run/a.sock", "http://127.0.0.1:8989", false),
        ]
    )
    func loop(target: String, edge: String, isLoop: Bool) throws {
        #expect(try OriginTarget(parsing: target).leads(to: EdgeAddress(parsing: edge)) == isLoop)
    }

    @Test(
        "Every spelling names one endpoint",
        arguments: [
            ("3000", .tcp(host: "localhost", port: 3000), false, "localhost:3000"),
            (":3000", .tcp(host: "localhost", port: 3000), false, "localhost:3000"),
            ("localhost:80", .tcp(host: "localhost", port: 80), false, "localhost"),
            ("10.0.0.7:8080", .tcp(host: "10.0.0.7", port: 8080), false, "10.0.0.7:8080"),
            ("[::1]:3000", .tcp(host: "::1", port: 3000), false, "[::1]:3000"),
            ("my_service.internal:81", .tcp(host: "my_service.internal", port: 81), false, "my_service.internal:81"),
            ("http://Dev.Example", .tcp(host: "dev.example", port: 80), false, "dev.example"),
            ("http://dev:8000/", .tcp(host: "dev", port: 8000), false, "dev:8000"),
            ("HTTPS://dev", .tcp(host: "dev", port: 443), true, "dev"),
            ("https://[fe80::1%eth0]:8443", .tcp(host: "fe80::1%eth0", port: 8443), true, "[fe80::1%eth0]:8443"),
            ("unix:/run/app.sock", .unix(path: "/run/app.sock"), false, "localhost"),
            ("unix:///run/app.sock", .unix(path: "/run/app.sock"), false, "localhost"),
        ] as [(String, OriginTarget.Endpoint, Bool, String)]
    )
    func spellings(text: String, endpoint: OriginTarget.Endpoint, usesTLS: Bool, host: String) throws {
        let target = try OriginTarget(parsing: text)
        #expect(target.endpoint == endpoint)
        #expect(target.usesTLS == usesTLS)
        #expect(target.hostField == host)
    }

    @Test(
        "What can't be a target is refused with its reason",
        arguments: [
            ("", "not a port"),
            ("0", "not a port"),
            ("65536", "not a port"),
            ("-1", "port is missing"),
            ("localhost", "port is missing"),
            ("local host:1", "not a host name"),
            ("::1:3000", "brackets"),
            ("[::1:3000", "not closed"),
            ("[::1]3000", "not a port"),
            ("host:", "not a port"),
            ("host:٣", "not a port"),
            ("ftp://host", "only http"), ("file:///tmp/x", "shares a folder"), ("./folder", "culvert http ./folder"),
            ("/tmp/folder", "culvert http ./folder"), ("~/folder", "culvert http ./folder"),
            (".", "culvert http ./folder"),
            ("http://host/path", "no path"),
            ("http://user@host", "user name"),
            ("http://", "host is missing"),
            ("host:80/x", "no path"),
            ("unix:run/app.sock", "starts with"),
            ("unix:/" + String(repeating: "x", count: 103), "at most 103 bytes"),
        ]
    )
    func refusals(text: String, reason: String) {
        let error = #expect(throws: OriginTargetError.self) { try OriginTarget(parsing: text) }
        #expect(error?.description.contains(reason) == true, "\(error?.description ?? "no error")")
    }

    @Test(
        "A target prints as a URL that parses to itself",
        arguments: ["3000", "https://a:8443", "unix:/run/x", "[::1]:5"]
    )
    func printing(text: String) throws {
        let target = try OriginTarget(parsing: text)
        #expect(try OriginTarget(parsing: target.description) == target)
    }
}
