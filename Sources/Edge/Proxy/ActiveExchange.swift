// SPDX-License-Identifier: Apache-2.0
import NIOCore

/// Everything that belongs to the exchange that a visitor's connection is busy with.
final class ActiveExchange {
    var state: ExchangeState
    var record: RequestRecord
    let tunnel: Tunnel
    let urls: PublicURLs
    /// The head as it goes to the origin; kept while a second try is possible.
    private(set) var requestHead: ByteBuffer
    /// What the visitor accepts, for the case that the edge has to answer.
    private let accept: [String]
    /// Whether an origin connection may serve more than one exchange.
    let mayReuse: Bool
    var requestBody: BodyReader
    /// Bytes of the request's body since its time began anew.
    var uploadProgress = 0
    var link: OriginLink?
    /// What the origin has sent and has not been passed on: at most an incomplete head or size line.
    var fromOrigin = ByteBuffer()
    var responseParser: HeadParser
    var responseBody: BodyReader?
    var responseFraming = ResponseRewrite.Framing.asReceived
    var hasOriginEnded = false
    /// What follows is bytes both ways: each side's end.
    var hasVisitorEnded = false

    init(
        head: RequestHead,
        record: RequestRecord,
        tunnel: Tunnel,
        rewrite: RequestRewrite,
        urls: PublicURLs,
        mayReuse: Bool
    ) {
        self.requestBody = BodyReader(head.framing)
        self.state = ExchangeState(
            request: head.exchangeRequest(passesUpgrade: rewrite.passesUpgrade(head)),
            hasBody: !self.requestBody.isComplete
        )
        self.record = record
        self.tunnel = tunnel
        self.urls = urls
        self.requestHead = rewrite.head(head)
        self.accept = head.section.values(.accept)
        self.mayReuse = mayReuse
        self.responseParser = HeadParser(maximumBytes: 256 << 10, maximumFields: 1_000)
    }
    /// Whether an error is shown as a page.
    var isHTML: Bool { ErrorPage.prefersHTML(accept: self.accept) }

    /// The origin has begun to answer: the request is not sent again.
    func forgetRequestHead() {
        self.requestHead = ByteBuffer()
    }
}
