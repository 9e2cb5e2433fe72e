// SPDX-License-Identifier: Apache-2.0

import ControlAPI
import Foundation
import NIOCore
import Testing

@testable import EdgeProxy
@testable import EdgeTunnels

@Suite("Answers of the edge")
struct ErrorPageTests {
    private static let browser = "text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8"

    @Test(
        "HTML is for those who ask for it, by Accept with its weights",
        arguments: [
            ([], false), (["*/*"], false), (["text/*"], false), ([browser], true), (["TEXT/HTML"], true),
            (["application/xhtml+xml"], true), (["text/html;q=0"], false), (["text/html ; Q=0.000, */*"], false),
            (["application/json"], false), (["application/problem+json"], false),
            (["application/json, text/html;q=0.9"], false), (["application/json;q=0.5, text/html"], true),
            (["text/html;level=1;q=0.3"], true), (["application/json", "text/html"], true), (["x-text/html"], false),
            (["text/html;q=much"], false), ([",;,"], false),
        ]
    )
    func accept(_ accept: [String], _ isHTML: Bool) {
        #expect(ErrorPage.prefersHTML(accept: accept) == isHTML)
    }

    @Test("What others have said is escaped in both kinds of body")
    func escaping() {
        let page = ErrorPage(
            error: .originRefused,
            status: 502,
            requestID: RequestID(),
            detail: "<b>\"a\\\u{1}'&"
        )
        let html = String(buffer: page.response(isHTML: true, isHead: false, isClosing: false))
        #expect(html.contains("&lt;b&gt;&quot;a\\"))
        #expect(!html.contains("<b>"))
        let json = String(buffer: page.response(isHTML: false, isHead: false, isClosing: false))
        #expect(json.contains("<b>\\\"a\\\\\\u0001'&"))
    }

    @Test("A connector that asks a tunnel's address for an edge knows by each error that a tunnel alone can have")
    func isForVisitors() throws {
        let ofConnections: Set<VisitorError> = [
            .badRequest, .headerTooLarge, .requestTimeout, .tlsRequired, .tooManyConnections, .versionNotSupported,
        ]
        for error in VisitorError.allCases {
            let page = ErrorPage(error: error, status: 400, requestID: RequestID())
            let answer = String(buffer: page.response(isHTML: false, isHead: false, isClosing: false))
            let body = try #require(answer.split(separator: "\r\n\r\n").last)
            let problem = try APICoding.makeDecoder().decode(ProblemDetails.self, from: Data(body.utf8))
            #expect(problem.isForVisitors == !ofConnections.contains(error), "\(error)")
        }
        #expect(Set(ofConnections.map(\.code)) == ProblemDetails.codesOfConnections)
    }

    @Test("Who meets a tunnel that nothing serves is told what a visitor does, and what its owner")
    func visitorsAndOwners() {
        let offline = ErrorPage(error: .tunnelOffline, status: 503, requestID: RequestID())
        let unknown = ErrorPage(error: .tunnelNotFound, status: 404, requestID: RequestID())
        let texts = [offline, unknown].map {
            String(buffer: $0.response(isHTML: true, isHead: false, isClosing: false))
        }
        #expect(texts[0].contains("Nothing serves this tunnel now: the culvert beside its app is not connected."))
        #expect(texts[0].contains("Come back later. If the tunnel is yours, start culvert beside the app, and reload."))
        #expect(texts[1].contains("Check the address. If the tunnel is yours, start it with culvert http PORT."))
    }

    @Test("HEAD gets the head alone, with the length of the body that it does not get")
    func head() throws {
        let page = ErrorPage(error: .tunnelNotFound, status: 404, requestID: RequestID())
        let whole = String(buffer: page.response(isHTML: true, isHead: false, isClosing: true))
        let head = String(buffer: page.response(isHTML: true, isHead: true, isClosing: true))
        #expect(head.hasSuffix("\r\n\r\n"))
        #expect(whole.hasPrefix(head))
        #expect(head.contains("Content-Length: \(whole.utf8.count - head.utf8.count)\r\n"))
    }
}
