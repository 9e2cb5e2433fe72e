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
    /// Heads of requests and responses.
    case http1
    /// Bodies: chunked, of a length, and up to the end of the connection.
    case chunked
    /// JSON that people write to the edge.
    case json
    /// What the edge makes of heads and of references in them.
    case rewrite
    /// What the connector reads of a proxy, of its edge and of the messages that pass.
    case answers
    /// What the inspector keeps of the bytes that pass, and what it makes of that.
    case capture

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
        case .http1: try HTTP1Fuzz.check(input)
        case .chunked: try ChunkedFuzz.check(input)
        case .json: try JSONFuzz.check(input)
        case .rewrite: try RewriteFuzz.check(input)
        case .answers: try AnswersFuzz.check(input)
        case .capture: try CaptureFuzz.check(input)
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
