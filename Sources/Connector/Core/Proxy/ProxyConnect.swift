// SPDX-License-Identifier: Apache-2.0

import HTTP1
import NIOCore
import Program

/// The CONNECT exchange with an HTTP proxy, without I/O (RFC 9110 §9.3.6).
package struct ProxyConnect {
    /// How the exchange ended.
    enum Outcome: Equatable {
        /// The connection now leads to the edge; `leftover` are bytes of the edge that arrived with the proxy's answer.
        case connected(leftover: ByteBuffer)
        case failed(ProxyFailure)
    }

    /// The request to send.
    let request: ByteBuffer
    private let showsCredentials: Bool
    private var answer = ConnectAnswer(maximumBytes: Self.maximumHead)

    /// The most bytes that the heads of the proxy's answer may have together.
    static let maximumHead = 16_384

    /// Makes the request.
    ///
    /// - Parameters:
    ///   - host: The edge's name; the proxy resolves it.
    ///   - port: The edge's port.
    ///   - credentials: The credentials for the proxy.
    package init(host: String, port: Int, credentials: ProxyCredentials?) {
        let authority = Authority(host: host, port: port).text(omittingPort: nil)
        var request = "CONNECT \(authority) HTTP/1.1\r\nHost: \(authority)\r\n"
        request += "User-Agent: culvert/\(ProgramVersion.current)\r\n"
        if let credentials { request += "Proxy-Authorization: \(credentials.fieldValue)\r\n" }
        self.request = ByteBuffer(string: request + "\r\n")
        self.showsCredentials = credentials != nil
    }

    /// Takes bytes from the proxy; returns `nil` until the outcome is known.
    mutating func receive(_ bytes: ByteBuffer) -> Outcome? {
        switch self.answer.receive(bytes) {
        case nil: nil
        case .connected(let leftover): .connected(leftover: leftover)
        case .refused(status: 407): .failed(.authentication(wasShown: self.showsCredentials))
        case .refused(let status): .failed(.refused(status: status))
        case .unreadable(.tooLong): .failed(.notAProxy("its answer is too long"))
        case .unreadable(.notHTTP): .failed(.notAProxy("its answer is not HTTP"))
        }
    }
}
