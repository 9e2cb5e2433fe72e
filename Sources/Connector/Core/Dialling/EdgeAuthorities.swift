// SPDX-License-Identifier: Apache-2.0

/// By which certificates edges are trusted: those that a flag names for all of them, or those that one edge was given
/// once.
package struct EdgeAuthorities: Equatable, Sendable {
    /// A PEM file of the only roots to trust, for every edge; `nil` where no flag names one.
    private let all: String?
    /// The same for one edge, as `culvert login` stores it.
    private let stored: Stored?

    private struct Stored: Equatable, Sendable {
        var edge: EdgeAddress
        var file: String
    }

    /// - Parameter all: A PEM file of the only roots to trust, for every edge; `nil` means those of the system.
    package init(all: String?) {
        self.all = all
        self.stored = nil
    }

    /// - Parameters:
    ///   - edge: The edge that is trusted by a file; for others the roots of the system count.
    ///   - file: The PEM file of the only roots to trust.
    package init(edge: EdgeAddress, file: String) {
        self.all = nil
        self.stored = Stored(edge: edge, file: file)
    }

    /// The files that are named.
    var files: [String] { [self.all, self.stored?.file].compactMap { $0 } }

    /// The PEM file of the only roots to trust for an edge; `nil` means those of the system.
    package func file(for edge: EdgeAddress) -> String? {
        if let all { return all }
        // Who gives a tunnel's address for that of its edge is told so by the edge, which has to be trusted for that.
        return self.stored.flatMap { $0.edge == edge || edge.looksLikeTunnel(of: $0.edge) ? $0.file : nil }
    }
}
