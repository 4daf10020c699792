//! The bytes of llama.cpp's RPC protocol, version 7.0 (`ggml/src/ggml-rpc/ggml-rpc.cpp`): which
//! commands there are, which of them are answered and by how much, and how messages are framed. All
//! numbers are little-endian, all structures packed. Sockets are others'.

mod framing;
pub(crate) mod tensor;

pub use framing::{Framing, Mark};

use std::fmt;

/// A version of the protocol.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Version {
    /// Must be ours.
    pub major: u8,
    /// Must not be above ours.
    pub minor: u8,
    /// Counts changes of operations; llama.cpp's client does not look at it.
    pub patch: u8,
}

impl Version {
    /// The one of the llama.cpp that this workspace builds (`RPC_PROTO_*_VERSION`).
    pub const OURS: Version = Version { major: 7, minor: 0, patch: 0 };

    /// Whether llama.cpp's client takes a server of this version (its `negotiate_hello`).
    pub fn is_taken(self) -> bool {
        let ours = Version::OURS;
        self.major == ours.major && ours.minor.checked_sub(self.minor).is_some()
    }
}

impl fmt::Display for Version {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{}.{}", self.major, self.minor, self.patch)
    }
}

/// What a command is answered with.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Answer {
    /// Nothing: the next command may follow at once.
    None,
    /// So many bytes, after the eight of their length.
    Bytes(u64),
    /// As many bytes as the command asks for.
    Asked,
}

/// Bytes of a HELLO: what the caller's connection is capable of (RDMA; all zero for TCP).
pub const HELLO_BYTES: usize = 24;

macro_rules! commands {
    ($($name:ident $byte:literal $text:literal $answer:expr,)*) => {
        /// A command, by its byte.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
        #[repr(u8)]
        #[expect(missing_docs, reason = "named as in the protocol")]
        pub enum Command { $($name = $byte,)* }

        impl Command {
            /// All of them.
            pub const ALL: &[Command] = &[$(Command::$name,)*];

            /// The command of a byte, if the protocol has one.
            pub fn from_byte(byte: u8) -> Option<Command> {
                match byte { $($byte => Some(Command::$name),)* _ => None }
            }

            /// Its name, as in the protocol.
            pub fn name(self) -> &'static str {
                match self { $(Command::$name => $text,)* }
            }

            /// What it is answered with.
            pub fn answer(self) -> Answer {
                match self { $(Command::$name => $answer,)* }
            }
        }
    };
}

commands! {
    AllocBuffer 0 "ALLOC_BUFFER" Answer::Bytes(16),
    GetAlignment 1 "GET_ALIGNMENT" Answer::Bytes(8),
    GetMaxSize 2 "GET_MAX_SIZE" Answer::Bytes(8),
    BufferGetBase 3 "BUFFER_GET_BASE" Answer::Bytes(8),
    FreeBuffer 4 "FREE_BUFFER" Answer::None,
    BufferClear 5 "BUFFER_CLEAR" Answer::None,
    SetTensor 6 "SET_TENSOR" Answer::None,
    SetTensorHash 7 "SET_TENSOR_HASH" Answer::Bytes(1),
    GetTensor 8 "GET_TENSOR" Answer::Asked,
    CopyTensor 9 "COPY_TENSOR" Answer::Bytes(1),
    GraphCompute 10 "GRAPH_COMPUTE" Answer::None,
    GetDeviceMemory 11 "GET_DEVICE_MEMORY" Answer::Bytes(16),
    InitTensor 12 "INIT_TENSOR" Answer::None,
    GetAllocSize 13 "GET_ALLOC_SIZE" Answer::Bytes(8),
    Hello 14 "HELLO" Answer::Bytes(28),
    DeviceCount 15 "DEVICE_COUNT" Answer::Bytes(4),
    GraphRecompute 16 "GRAPH_RECOMPUTE" Answer::None,
    MemsetTensor 17 "MEMSET_TENSOR" Answer::None,
}

impl Command {
    /// Whether it computes a graph.
    pub fn is_graph(self) -> bool {
        matches!(self, Command::GraphCompute | Command::GraphRecompute)
    }

    /// Whether it begins a worker's turn: it moves tensors or computes. What only allocates, frees
    /// or asks begins none.
    pub fn begins_turn(self) -> bool {
        use Command::{CopyTensor, GetTensor, SetTensor, SetTensorHash};
        self.is_graph() || matches!(self, SetTensor | SetTensorHash | GetTensor | CopyTensor)
    }
}

impl fmt::Display for Command {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// What is no conversation of this protocol. Whoever sees one cannot follow what comes after it.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Fault {
    /// A byte that is no command.
    #[error("command {0} is not of the protocol, version {ours}", ours = Version::OURS)]
    UnknownCommand(u8),
    /// Bytes came back, and no answer was owed.
    #[error("bytes came that nothing had asked for")]
    Unasked,
    /// An answer of the wrong size, upon which llama.cpp's client ends the process.
    #[error("the answer to {command} claims {found} bytes; expected {expected}")]
    AnswerSize {
        /// What was asked.
        command: Command,
        /// Bytes of its answer.
        expected: u64,
        /// Bytes that this one claims to have.
        found: u64,
    },
    /// So many answers are owed that this is no client of llama.cpp, which waits for each.
    #[error("more than {0} answers are owed at a time")]
    TooManyOwed(usize),
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_command_has_its_byte() {
        for (byte, command) in (0u8..).zip(Command::ALL) {
            assert_eq!(Command::from_byte(byte), Some(*command));
            assert_eq!(*command as u8, byte);
        }
        assert_eq!(Command::ALL.len(), 18);
        assert_eq!(Command::from_byte(18), None);
        assert_eq!(Command::Hello as u8, 14);
    }

    #[test]
    fn takes_the_versions_that_llama_cpp_takes() {
        let taken = |major, minor, patch| Version { major, minor, patch }.is_taken();
        assert!(taken(7, 0, 0) && taken(7, 0, 9));
        assert!(!taken(7, 1, 0) && !taken(6, 0, 0) && !taken(8, 0, 0));
    }

    #[test]
    fn turns_begin_with_tensors_and_graphs_alone() {
        let names: Vec<_> =
            Command::ALL.iter().filter(|c| c.begins_turn()).map(|c| c.name()).collect();
        let expected = [
            "SET_TENSOR",
            "SET_TENSOR_HASH",
            "GET_TENSOR",
            "COPY_TENSOR",
            "GRAPH_COMPUTE",
            "GRAPH_RECOMPUTE",
        ];
        assert_eq!(names, expected);
    }
}
