#include "sluice/runtime/cuda/tail.h"

#include "sluice/runtime/cuda/kernels/kernels.h"

#include <array>
#include <cassert>

namespace sluice::cuda {

Tail::Tail(const sluice_cuda_view& out) {
  op_.kind = SLUICE_CUDA_OP_MAP;
  op_.inputs = op_.outputs = 1;
  op_.in[0] = op_.out[0] = out;
  op_.as.map.compute = SLUICE_CUDA_COMPUTE_F32;
}

sluice_cuda_stage& Tail::next_stage() {
  assert(op_.as.map.stages < SLUICE_CUDA_MAX_STAGES);
  return op_.as.map.stage[op_.as.map.stages++];
}

void Tail::apply(const sluice_cuda_activation& activation) {
  if (activation.function < 0) return;
  sluice_cuda_stage& stage = next_stage();
  stage.kind = SLUICE_CUDA_STAGE_UNARY;
  stage.activation = activation;
}

void Tail::add(const sluice_cuda_view& view, int place) {
  sluice_cuda_stage& stage = next_stage();
  stage.kind = SLUICE_CUDA_STAGE_BINARY;
  stage.function = SLUICE_CUDA_ADD;
  stage.operand = op_.inputs;
  op_.in[op_.inputs++] = view;
  places_.push_back(place);
}

sluice_cuda_view along(const sluice_cuda_view& out, const sluice_cuda_view& vector, int axis) {
  sluice_cuda_view view = out;
  view.type = vector.type;
  view.offset = vector.offset;
  for (int other = 0; other < view.rank; ++other) view.strides[other] = 0;
  view.strides[axis] = vector.strides[0];
  return view;
}

namespace {

class Finished final : public LibraryOperator {
 public:
  Finished(std::unique_ptr<LibraryOperator> first, std::unique_ptr<Operator> last,
           std::vector<int> places)
      : first_(std::move(first)), last_(std::move(last)), places_(std::move(places)) {
    rename();
  }

  const char* name() const override { return name_.c_str(); }
  std::size_t ways() const override { return first_->ways(); }
  std::string way() const override { return first_->way(); }
  Outcome select(std::size_t way) override { return renamed(first_->select(way)); }
  Outcome select(const std::string& way) override { return renamed(first_->select(way)); }

  Outcome run(CUstream_st* stream, const void* const* inputs, void* const* outputs) override {
    if (Outcome outcome = first_->run(stream, inputs, outputs); !outcome.is_ok()) return outcome;
    std::array<const void*, SLUICE_CUDA_MAX_OPERANDS> operands = {outputs[0]};
    for (std::size_t i = 0; i < places_.size(); ++i) operands[i + 1] = inputs[places_[i]];
    return last_->run(stream, operands.data(), outputs);
  }

 private:
  void rename() { name_ = std::string(first_->name()) + " + " + last_->name(); }
  Outcome renamed(Outcome outcome) {
    rename();
    return outcome;
  }

  std::unique_ptr<LibraryOperator> first_;
  std::unique_ptr<Operator> last_;
  std::vector<int> places_;
  std::string name_;
};

}  // namespace

MadeLibraryOperator with_tail(std::unique_ptr<LibraryOperator> first, const Tail& tail) {
  if (tail.is_empty()) return {Outcome::ok(), std::move(first)};
  Made last = make_kernel(tail.op());
  if (!last.outcome.is_ok()) return {std::move(last.outcome), nullptr};
  return {Outcome::ok(),
          std::make_unique<Finished>(std::move(first), std::move(last.made), tail.places())};
}

}  // namespace sluice::cuda
