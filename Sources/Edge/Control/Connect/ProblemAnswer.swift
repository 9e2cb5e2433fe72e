// SPDX-License-Identifier: Apache-2.0

import ControlAPI
import EdgeTunnels
import HTTPTypes
import Mux
import NIOCore
import Protocol

#if canImport(FoundationEssentials)
import FoundationEssentials
#else
import Foundation
#endif

/// Turns a refusal of an upgrade into a response.
struct ProblemAnswer {
    /// The id under which the request is logged.
    let requestID: RequestID

    /// Refuses with one of the API's errors.
    func refuse(_ problem: Problem) -> ConnectDecision {
        self.refuse(problem.status, problem.details(requestID: self.requestID), fields: problem.headerFields)
    }

    /// Refuses because the request is no WebSocket upgrade as the protocol wants it.
    func refuse(_ refusal: WebSocketHandshake.Refusal) -> ConnectDecision {
        var fields = HTTPFields()
        for (name, value) in refusal.fields {
            if let name = HTTPField.Name(name) { fields[name] = value }
        }
        return self.refuse(
            HTTPResponse.Status(code: refusal.status),
            ProblemDetails(
                title: "Not a connector's upgrade",
                status: refusal.status,
                code: refusal.code,
                detail: refusal.reason,
                requestID: self.requestID.description
            ),
            fields: fields
        )
    }

    private func refuse(
        _ status: HTTPResponse.Status,
        _ details: ProblemDetails,
        fields: HTTPFields
    ) -> ConnectDecision {
        var fields = fields
        // Encoding a few strings does not fail; an empty body with the right status is what remains if it does.
        let body = (try? APICoding.makeEncoder().encode(details)) ?? Data()
        fields[.contentType] = ProblemDetails.mediaType
        fields[.contentLength] = String(body.count)
        fields[.cacheControl] = "no-store"
        fields[.culvertError] = details.code
        fields[.culvertRequestID] = self.requestID.description
        return .refuse(HTTPResponse(status: status, headerFields: fields), ByteBuffer(bytes: body))
    }
}
