// SPDX-License-Identifier: Apache-2.0
import ControlAPI
import EdgeTunnels

/// Counts and writes down what visitors ask for; from any thread.
protocol ExchangeRecorder: AnyObject, Sendable {
    /// A request has begun; ``finished(_:)`` follows.
    func started()
    /// A request is sent once more, on another stream.
    func retried()
    /// A request is over.
    func finished(_ entry: AccessLogEntry)
}

/// What is logged of one visitor's request.
struct AccessLogEntry: Equatable, Sendable {
    /// The id that the visitor was shown.
    var requestID: RequestID
    /// The tunnel; `nil` for a request that reached none.
    var tunnelID: TunnelID?
    /// The method.
    var method: String
    /// The path; what is passed may have a query, which is not logged.
    var path: String
    /// The status that was sent; 0 if none was.
    var status: Int
    /// Body bytes from the visitor.
    var bytesReceived: Int
    /// Body bytes to the visitor.
    var bytesSent: Int
    /// From the first byte of the request to the last of the response.
    var milliseconds: Double
    /// From the first byte of the request to the moment when it was on its way to the connector; `nil` if it never was.
    var overheadMilliseconds: Double?
    /// From there to the head of the response; `nil` if none came.
    var originMilliseconds: Double?
    /// The code of the error that the edge made, if it did.
    var errorCode: String?
    /// The trusted address of the visitor.
    var remoteAddress: IPAddress?
    /// The `traceparent` that the request had.
    var traceparent: String?
}
