// SPDX-License-Identifier: Apache-2.0

import ControlAPI

extension EdgeFailure {
    /// Classifies an answer that is no success: an edge that speaks to a visitor has been asked at a tunnel's address.
    ///
    /// - Parameters:
    ///   - edge: The address that was asked.
    ///   - status: The status of the answer.
    ///   - retryAfter: How long it asks to wait.
    ///   - problem: What it says, if that is a problem document.
    init(refusedBy edge: EdgeAddress, status: Int, retryAfter: Duration?, problem: ProblemDetails?) {
        if problem?.isForVisitors == true {
            self = .tunnelAddress(address: edge.description, edge: edge.aboveTunnel?.description)
        } else if problem == nil, status == 404, edge.aboveTunnel != nil {
            self = .noEdge(at: edge, reason: "it answered HTTP 404")
        } else {
            self = .refused(status: status, retryAfter: retryAfter, problem: problem)
        }
    }

    /// Says that another server than an edge answers: it may be the one behind a tunnel, where the address has a path.
    static func noEdge(at edge: EdgeAddress, reason: String) -> EdgeFailure {
        let hint = edge.aboveTunnel.map { "; if the address is a tunnel's, its edge is at \($0)" } ?? ""
        return .notAnEdge(address: edge.description, reason: reason + hint)
    }
}

extension EdgeAddress {
    /// Where an edge is of which this is a tunnel's address with the tunnel's id in the path; `nil` where only a host
    /// can name the tunnel.
    fileprivate var aboveTunnel: EdgeAddress? {
        guard let slash = self.basePath.lastIndex(of: "/") else { return nil }
        var edge = self
        edge.basePath = String(self.basePath[..<slash])
        return edge
    }
}
