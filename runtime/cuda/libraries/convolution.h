#pragma once

#include "sluice/runtime/cuda/libraries/cudnn_operator.h"
#include "sluice/runtime/cuda/tail.h"

namespace sluice::cuda {

// What of a convolution cuDNN is asked to do in one go.
enum class Fusion : std::uint8_t {
  kAll,   // residual, bias and ReLU, as far as that is their order
  kBias,  // the bias alone
  kNone,
};

// A convolution as a graph of cuDNN and what is left to do after it.
struct ConvolutionParts {
  Outcome outcome;
  ConvolutionGraph graph;
  std::vector<int> operands;  // of the graph, as cudnn_operator() takes them
  Tail tail;
};

// Of an OP_CONV or OP_CONV_TRANSPOSE. cuDNN is given convolutions of images with the channels last
// in memory, of one float type, in groups of more than one channel. A bias is fused if it is of
// that type; one of f32 beside f16 costs a pass of its own over the output. Any number of channels
// goes, and is fast if those of x and of the output are multiples of 8: who lowers a graph pads the
// 3 of a picture, and the weights with them, with zeros. Errors: unsupported; the message says what
// stands against it.
ConvolutionParts convolution_parts(const sluice_cuda_op& op, Fusion fusion);

// The most that cuDNN fuses. Errors: unsupported, with cuDNN's message.
MadeLibraryOperator make_convolution(const LaneResources& lane, const sluice_cuda_op& op);

}  // namespace sluice::cuda
