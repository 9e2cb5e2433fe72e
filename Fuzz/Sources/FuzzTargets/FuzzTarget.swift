// SPDX-License-Identifier: Apache-2.0

/// What can be fuzzed; each target takes any bytes and throws a ``Finding`` when a rule is broken.
///
/// The same functions run under libFuzzer, with the sanitizers, and in the ordinary tests, over the kept inputs.
public enum FuzzTarget: String, CaseIterable, Sendable {
    /// The frame decoder on any message.
    case frames
    /// A session core after a valid HELLO, fed sequences of frames and local actions.
    case session
    /// The entries of HELLO, OPEN and OPEN_ACK.
    case metadata
    /// The WebSocket decoder and encoder.
    case websocket
    /// The frame decoder against the reference codec.
    case differential

    /// Runs the target on one input.
    ///
    /// - Throws: ``Finding`` if a rule is broken.
    @inline(never)  // Or the driver would lay out values of Mux, which a later build would not know to compile again.
    public func check(_ input: [UInt8]) throws {
        switch self {
        case .frames: try FrameFuzz.check(input)
        case .session: try SessionFuzz.check(input)
        case .metadata: try MetadataFuzz.check(input)
        case .websocket: try WebSocketFuzz.check(input)
        case .differential: try DifferentialFuzz.check(input)
        }
    }
}

/// A rule that an input broke.
public struct Finding: Error, CustomStringConvertible {
    /// Which rule, and how.
    public var description: String

    /// Notes a finding.
    public init(_ description: String) {
        self.description = description
    }

    /// - Throws: a finding unless the condition holds.
    static func unless(_ condition: Bool, _ description: @autoclosure () -> String) throws {
        if !condition { throw Finding(description()) }
    }
}
