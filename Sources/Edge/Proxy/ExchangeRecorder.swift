// SPDX-License-Identifier: Apache-2.0
import ControlAPI
import EdgeTunnels

/// Counts and writes down what visitors ask for; from any thread.
package protocol ExchangeRecorder: AnyObject, Sendable {
    /// A request has begun; ``finished(_:)`` follows.
    func started()
    /// A request is sent once more, on another stream.
    func retried()
    /// A request is over.
    func finished(_ entry: AccessLogEntry)
}

/// What is logged of one visitor's request.
package struct AccessLogEntry: Equatable, Sendable {
    /// The id that the visitor was shown.
    package var requestID: RequestID
    /// The tunnel; `nil` for a request that reached none.
    package var tunnelID: TunnelID?
    /// The method.
    package var method: String
    /// The path; what is passed may have a query, which is not logged.
    package var path: String
    /// The status that was sent; 0 if none was.
    package var status: Int
    /// Body bytes from the visitor.
    package var bytesReceived: Int
    /// Body bytes to the visitor.
    package var bytesSent: Int
    /// From the first byte of the request to the last of the response.
    package var milliseconds: Double
    /// From the first byte of the request to the moment when it was on its way to the connector; `nil` if it never was.
    package var overheadMilliseconds: Double?
    /// From there to the head of the response; `nil` if none came.
    package var originMilliseconds: Double?
    /// The code of the error that the edge made, if it did.
    package var errorCode: String?
    /// The trusted address of the visitor.
    package var remoteAddress: IPAddress?
    /// The `traceparent` that the request had.
    package var traceparent: String?
}
