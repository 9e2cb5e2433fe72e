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
        self =
            problem?.isForVisitors == true
            ? .tunnelAddress(address: edge.description, edge: edge.aboveTunnel?.description)
            : .refused(status: status, retryAfter: retryAfter, problem: problem)
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
