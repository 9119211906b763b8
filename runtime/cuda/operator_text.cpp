#include "sluice/runtime/cuda/operator_text.h"

#include "sluice/runtime/cuda/view.h"

#include <locale>
#include <sstream>

namespace sluice::cuda {
namespace {

void write(std::ostream& text, const char* name, const sluice_cuda_view& view) {
  text << ' ' << name << view.type;
  for (int axis = 0; axis < view.rank; ++axis) {
    text << (axis == 0 ? ':' : 'x') << view.dims[axis];
  }
  for (int axis = 0; axis < view.rank; ++axis) {
    text << (axis == 0 ? '/' : ',') << view.strides[axis];
  }
  // Of where it begins, only how far that is aligned makes a difference.
  if (const auto rest = offset_bytes(view) % 256; rest != 0) text << '@' << rest;
}

void write(std::ostream& text, const char* name, const sluice_cuda_activation& activation) {
  if (is_none(activation)) return;
  text << ' ' << name << activation.function << '(' << activation.alpha << ',' << activation.beta
       << ',' << activation.scale << ',' << activation.shift << ')';
}

void write(std::ostream& text, const sluice_cuda_window& window) {
  for (int axis = 0; axis < window.axes; ++axis) {
    text << " window " << window.kernel[axis] << '/' << window.stride[axis] << '*'
         << window.dilation[axis] << '+' << window.pad_begin[axis] << '+' << window.pad_end[axis];
  }
}

const char* name_of(std::int32_t kind) {
  switch (kind) {
    case SLUICE_CUDA_OP_CONV:
      return "conv";
    case SLUICE_CUDA_OP_CONV_TRANSPOSE:
      return "conv_transpose";
    case SLUICE_CUDA_OP_MATMUL:
      return "matmul";
    default:
      return "attention";
  }
}

void write_parameters(std::ostream& text, const sluice_cuda_op& op) {
  switch (op.kind) {
    case SLUICE_CUDA_OP_CONV:
    case SLUICE_CUDA_OP_CONV_TRANSPOSE: {
      const auto& conv = op.as.conv;
      write(text, conv.window);
      text << " group" << conv.group << (conv.has_bias ? " bias" : "")
           << (conv.has_residual ? " residual" : "");
      write(text, "activation", conv.activation);
      write(text, "after", conv.after);
      return;
    }
    case SLUICE_CUDA_OP_MATMUL: {
      const auto& matmul = op.as.matmul;
      text << " alpha" << matmul.alpha << " beta" << matmul.beta << (matmul.has_bias ? " bias" : "")
           << (matmul.bias_is_matrix ? " matrix" : "");
      write(text, "activation", matmul.activation);
      return;
    }
    default:
      text << " scale" << op.as.attention.scale;
  }
}

}  // namespace

std::string operator_text(const sluice_cuda_op& op, const sluice_cuda_lane_options& options) {
  std::ostringstream text;
  text.imbue(std::locale::classic());
  text.precision(9);  // enough to tell any two floats apart
  text << name_of(op.kind);
  for (int i = 0; i < op.inputs; ++i) write(text, "in", op.in[i]);
  write(text, "out", op.out[0]);
  write_parameters(text, op);
  text << " workspace" << options.workspace_bytes << (options.allow_tf32 ? " tf32" : "");
  return text.str();
}

}  // namespace sluice::cuda
