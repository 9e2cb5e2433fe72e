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
    package let requestID: RequestID
    /// The tunnel; `nil` for a request that reached none.
    package let tunnelID: TunnelID?
    /// The edge whose connector the request went to; `nil` for one that went to a connector of this edge, or to none.
    package let otherEdge: PodID?
    /// The method.
    package let method: String
    /// The path; what is passed may have a query, which is not logged.
    package let path: String
    /// The status that was sent; 0 if none was.
    package let status: Int
    /// Body bytes from the visitor.
    package let bytesReceived: Int
    /// Body bytes to the visitor.
    package let bytesSent: Int
    /// From the first byte of the request to the last of the response.
    package let milliseconds: Double
    /// From the first byte of the request to the moment when it was on its way to the connector; `nil` if it never was.
    package let overheadMilliseconds: Double?
    /// From there to the head of the response; `nil` if none came.
    package let originMilliseconds: Double?
    /// The code of the error that the edge made, if it did.
    package let errorCode: String?
    /// The trusted address of the visitor.
    package let remoteAddress: IPAddress?
    /// The `traceparent` that the request had.
    package let traceparent: String?
}
