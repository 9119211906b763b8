#pragma once

#include <stddef.h>
#include <stdint.h>

// What libsluice_cuda.so gives the program: a table of C functions, so that the program holds no
// symbol of CUDA and starts on a machine without it. Only the plugin knows CUDA, cuDNN and
// cublasLt. Changes of this file change SLUICE_CUDA_ABI.
//
// Every function that can fail gives a sluice_cuda_result; after one that is none of the first two,
// `last_error` says why, on the same thread. No function throws. Unless it says so, none waits for
// the device, and each may be called on any thread; one object by one thread at a time.
#define SLUICE_CUDA_ABI 1
#define SLUICE_CUDA_MAX_RANK 8
#define SLUICE_CUDA_MAX_OPERANDS 8
#define SLUICE_CUDA_MAX_STAGES 12

#ifdef __cplusplus
extern "C" {
#endif
// NOLINTBEGIN(readability-identifier-naming): names as C has them

typedef enum sluice_cuda_result {
  SLUICE_CUDA_OK = 0,
  SLUICE_CUDA_NOT_READY = 1,      // the event's work is not done yet
  SLUICE_CUDA_UNSUPPORTED = 2,    // nothing here computes this; nothing was queued
  SLUICE_CUDA_OUT_OF_MEMORY = 3,  // nothing was queued
  SLUICE_CUDA_FAILED = 4,         // this call or this work; the device goes on
  SLUICE_CUDA_LOST = 5,           // the device: every later call fails, too
} sluice_cuda_result;

typedef enum sluice_cuda_type {
  SLUICE_CUDA_F32 = 0,
  SLUICE_CUDA_F16,
  SLUICE_CUDA_BF16,
  SLUICE_CUDA_F64,
  SLUICE_CUDA_I8,
  SLUICE_CUDA_I16,
  SLUICE_CUDA_I32,
  SLUICE_CUDA_I64,
  SLUICE_CUDA_U8,
  SLUICE_CUDA_U16,
  SLUICE_CUDA_U32,
  SLUICE_CUDA_U64,
  SLUICE_CUDA_BOOL,  // a byte, 0 or 1
} sluice_cuda_type;

// A tensor in a block of memory: element (i0, i1, ...) lies at offset + sum of i_k * strides[k], in
// elements from the pointer given at the run. A stride of 0 repeats an element; strides may be
// negative. Outputs never overlap themselves nor an input, except where an operator says so.
typedef struct sluice_cuda_view {
  int32_t type;
  int32_t rank;  // 0: one element
  int64_t dims[SLUICE_CUDA_MAX_RANK];
  int64_t strides[SLUICE_CUDA_MAX_RANK];
  int64_t offset;
} sluice_cuda_view;

// Functions of one number, of graph::UnaryKind in the same order (operation.h says what each is).
typedef enum sluice_cuda_unary {
  SLUICE_CUDA_RELU = 0,
  SLUICE_CUDA_CLIP,
  SLUICE_CUDA_LEAKY_RELU,
  SLUICE_CUDA_SIGMOID,
  SLUICE_CUDA_SILU,
  SLUICE_CUDA_HARD_SIGMOID,
  SLUICE_CUDA_HARD_SWISH,
  SLUICE_CUDA_GELU,
  SLUICE_CUDA_GELU_TANH,
  SLUICE_CUDA_TANH,
  SLUICE_CUDA_EXP,
  SLUICE_CUDA_LOG,
  SLUICE_CUDA_SQRT,
  SLUICE_CUDA_RECIPROCAL,
  SLUICE_CUDA_ERF,
  SLUICE_CUDA_NEG,
  SLUICE_CUDA_ABS,
  SLUICE_CUDA_FLOOR,
  SLUICE_CUDA_CEIL,
  SLUICE_CUDA_ROUND,  // to the nearest, halves to even
  SLUICE_CUDA_SIGN,
  SLUICE_CUDA_ELU,
  SLUICE_CUDA_SELU,
  SLUICE_CUDA_CELU,
  SLUICE_CUDA_SOFTPLUS,
  SLUICE_CUDA_SOFTSIGN,
  SLUICE_CUDA_THRESHOLDED_RELU,
  SLUICE_CUDA_MISH,
  SLUICE_CUDA_SIN,
  SLUICE_CUDA_COS,
  SLUICE_CUDA_TAN,
  SLUICE_CUDA_ASIN,
  SLUICE_CUDA_ACOS,
  SLUICE_CUDA_ATAN,
  SLUICE_CUDA_SINH,
  SLUICE_CUDA_COSH,
  SLUICE_CUDA_NOT,
} sluice_cuda_unary;

// Functions of two, of graph::BinaryKind in the same order. Comparisons give 0 or 1.
typedef enum sluice_cuda_binary {
  SLUICE_CUDA_ADD = 0,
  SLUICE_CUDA_SUB,
  SLUICE_CUDA_MUL,
  SLUICE_CUDA_DIV,  // of integers towards zero; by 0 gives 0
  SLUICE_CUDA_POW,
  SLUICE_CUDA_MIN,
  SLUICE_CUDA_MAX,
  SLUICE_CUDA_MOD,   // the sign of the divisor; by 0 gives 0
  SLUICE_CUDA_FMOD,  // the sign of the dividend
  SLUICE_CUDA_PRELU,
  SLUICE_CUDA_AND,
  SLUICE_CUDA_OR,
  SLUICE_CUDA_XOR,
  SLUICE_CUDA_EQUAL,
  SLUICE_CUDA_LESS,
  SLUICE_CUDA_LESS_OR_EQUAL,
  SLUICE_CUDA_GREATER,
  SLUICE_CUDA_GREATER_OR_EQUAL,
} sluice_cuda_binary;

// An activation: y = scale * f(x) + shift, f with its parameters alpha and beta.
typedef struct sluice_cuda_activation {
  int32_t function;  // sluice_cuda_unary; -1: none, and the rest is not looked at
  float alpha, beta, scale, shift;
} sluice_cuda_activation;

// One step of a chain over the elements, on a value v.
typedef enum sluice_cuda_stage_kind {
  SLUICE_CUDA_STAGE_UNARY = 0,  // v = activation(v)
  SLUICE_CUDA_STAGE_BINARY,     // v = f(v, in[operand]), or f(in[operand], v) if reversed
  SLUICE_CUDA_STAGE_SELECT,     // v = in[operand] != 0 ? v : in[other]
} sluice_cuda_stage_kind;

typedef struct sluice_cuda_stage {
  int32_t kind;
  int32_t function;  // sluice_cuda_binary
  int32_t operand, other;
  int32_t reversed;
  sluice_cuda_activation activation;
} sluice_cuda_stage;

typedef enum sluice_cuda_op_kind {
  // v = in[0], then the stages one after the other; out[0] = v. All views have out[0]'s dims.
  // Computed in f32, or where `compute` says so in i64 or f64; from a float to an integer v is cut
  // towards zero. out[0] may be in[0]'s memory if the views are equal and no other input is.
  SLUICE_CUDA_OP_MAP = 0,
  // out[0] = in[0], element by element, of equal dims and element size: bytes are moved.
  SLUICE_CUDA_OP_COPY,
  // out[0][i] = in[0][i - before], and beyond its edges what `mode` says.
  SLUICE_CUDA_OP_PAD,
  // in[0] [outer, n, inner], in[1] i32 or i64 [count]; out[0] [outer, count, inner], by bytes.
  // Negative indices count from the end; others out of range give zeros.
  SLUICE_CUDA_OP_GATHER,
  // in[0] whose last `reduced` dims are reduced to one; out[0] has the dims before them. Float
  // types accumulate in f32, f64 in f64, integers in i64. Of no elements: the neutral element.
  SLUICE_CUDA_OP_REDUCE,
  // in[0] [outer, n, inner]; out[0] i64 [outer, inner]: where along n the extreme is.
  SLUICE_CUDA_OP_ARG,
  // in[0] [outer, n, inner]; out[0] values and out[1] i64 indices, [outer, k, inner], sorted; of
  // equal ones the lower index comes first.
  SLUICE_CUDA_OP_TOPK,
  // in[0] and out[0] [outer, n, inner], along n, in f32. out[0] may be in[0]'s memory.
  SLUICE_CUDA_OP_SOFTMAX,
  // (x - mean) / sqrt(variance + epsilon) along n of [outer, n, inner], times in[1] plus in[2]
  // where they are there (`inputs` 2 or 3): vectors that `parameters_by` picks an element of.
  // out[0] may be in[0]'s memory.
  SLUICE_CUDA_OP_NORMALIZE,
  // in[0] [N, C, then one to three spatial dims], out[0] likewise; out[1], if there, i64: where in
  // in[0] the maximum is, counted in the order of a dense [N, C, ...].
  SLUICE_CUDA_OP_POOL,
  // in[0], out[0] [N, C, rest]; x / (bias + alpha / size * sum of squares over the channels
  // around)^beta, the channels c - (size - 1) / 2 to c + size / 2.
  SLUICE_CUDA_OP_LRN,
  // in[0] of any rank, out[0] of the same. For axis d of out, `taps[d]` elements of in[0] count:
  // in[1], i32, holds their places and in[2], f32, their weights, [dims[d] * taps[d]] each, axis
  // after axis; axes with 0 taps are not scaled and have none there. A place of -1 stands for an
  // element of value `outside`. f32 arithmetic.
  SLUICE_CUDA_OP_RESIZE,
  // in[0] x [N, C, spatial], in[1] weights [M, C / group, window], both with any strides;
  // in[2], if `has_bias`, the bias [M], f32 or of out's type, of which libraries take the latter
  // along; the input after that, if `has_residual`, [out's dims, strides may be 0].
  // out[0] = after(activation(conv + bias) + residual).
  SLUICE_CUDA_OP_CONV,
  // in[0] x [N, C, spatial], in[1] weights [C, M / group, window], bias as above;
  // out[0] = activation(conv_transpose + bias). `pad_begin` is cut from the front of the result.
  SLUICE_CUDA_OP_CONV_TRANSPOSE,
  // in[0] a [batch, M, K], in[1] b [batch, K, N], in[2], if `has_bias`, [N], f32 or of out's type,
  // or, where `bias_is_matrix`, of out's type [batch, M, N]; out[0] [batch, M, N] =
  // activation(alpha * a b + beta *
  // bias). In a, b, out one of the last two strides is 1; strides of the batch may be 0.
  SLUICE_CUDA_OP_MATMUL,
  // in[0] q [batch, heads, Sq, D], in[1] k [batch, heads, Sk, D], in[2] v [batch, heads, Sk, D],
  // in[3], if there, a mask that is added, [batch, heads, Sq, Sk], strides may be 0;
  // out[0] [batch, heads, Sq, D] = softmax(scale * q k^T + mask) v.
  SLUICE_CUDA_OP_ATTENTION,
  // in[0] u8 [N, H, W, 3 or 1]; out[0] float [N, C, h, w], any strides, C the same or more (then
  // zeros): scaled by `filter` to h x w, then (x * scale[c] + shift[c]), channels reversed if
  // asked.
  SLUICE_CUDA_OP_IMAGE,
} sluice_cuda_op_kind;

typedef enum sluice_cuda_compute {
  SLUICE_CUDA_COMPUTE_F32 = 0,
  SLUICE_CUDA_COMPUTE_I64,
  SLUICE_CUDA_COMPUTE_F64,
} sluice_cuda_compute;

typedef enum sluice_cuda_pad_mode {
  SLUICE_CUDA_PAD_CONSTANT = 0,
  SLUICE_CUDA_PAD_REFLECT,
  SLUICE_CUDA_PAD_EDGE,
  SLUICE_CUDA_PAD_WRAP,
} sluice_cuda_pad_mode;

// Of graph::ReduceKind, in the same order.
typedef enum sluice_cuda_reduce {
  SLUICE_CUDA_REDUCE_SUM = 0,
  SLUICE_CUDA_REDUCE_MEAN,
  SLUICE_CUDA_REDUCE_MAX,
  SLUICE_CUDA_REDUCE_MIN,
  SLUICE_CUDA_REDUCE_PROD,
  SLUICE_CUDA_REDUCE_L1,
  SLUICE_CUDA_REDUCE_L2,
  SLUICE_CUDA_REDUCE_SUM_SQUARE,
  SLUICE_CUDA_REDUCE_LOG_SUM,
  SLUICE_CUDA_REDUCE_LOG_SUM_EXP,
} sluice_cuda_reduce;

typedef enum sluice_cuda_parameters_by {
  SLUICE_CUDA_BY_POSITION = 0,  // along n: layer normalisation
  SLUICE_CUDA_BY_OUTER,         // outer modulo `channels`: instance normalisation, planar
  SLUICE_CUDA_BY_INNER,         // inner: instance normalisation, channels last
} sluice_cuda_parameters_by;

typedef struct sluice_cuda_window {
  int32_t axes;  // spatial; 1 to 3
  int64_t kernel[3], stride[3], dilation[3], pad_begin[3], pad_end[3];
} sluice_cuda_window;

typedef struct sluice_cuda_op {
  int32_t kind;
  int32_t inputs, outputs;
  sluice_cuda_view in[SLUICE_CUDA_MAX_OPERANDS];
  sluice_cuda_view out[2];
  union {
    struct {
      int32_t compute;
      int32_t stages;
      sluice_cuda_stage stage[SLUICE_CUDA_MAX_STAGES];
    } map;
    struct {
      int32_t mode;
      int64_t before[SLUICE_CUDA_MAX_RANK];  // negative ones cut
      uint64_t value;                        // an element's bytes, for a constant
    } pad;
    struct {
      int32_t function;
      int32_t reduced;
    } reduce;
    struct {
      int32_t largest;  // else the smallest
      int32_t select_last;
    } arg;
    struct {
      int32_t largest;
    } topk;
    struct {
      int32_t logarithm;
    } softmax;
    struct {
      float epsilon;
      int32_t parameters_by;
      int64_t channels;
    } normalize;
    struct {
      int32_t average;  // else the maximum
      int32_t count_include_pad;
      sluice_cuda_window window;
    } pool;
    struct {
      int64_t size;
      float alpha, beta, bias;
    } lrn;
    struct {
      int32_t taps[SLUICE_CUDA_MAX_RANK];
      float outside;
    } resize;
    struct {
      sluice_cuda_window window;
      int64_t group;
      int32_t has_bias, has_residual;
      sluice_cuda_activation activation, after;
    } conv;  // and the transposed one
    struct {
      float alpha, beta;
      int32_t has_bias, bias_is_matrix;
      sluice_cuda_activation activation;
    } matmul;
    struct {
      float scale;
    } attention;
    struct {
      int32_t antialias;  // else plain bilinear, with half-pixel centres
      int32_t reverse_channels;
      float scale[4], shift[4];
    } image;
  } as;
} sluice_cuda_op;

typedef struct sluice_cuda_device_info {
  char name[256];
  int32_t major, minor;  // compute capability
  int32_t multiprocessors;
  uint64_t memory_bytes, free_bytes;
  int32_t driver, runtime;   // 13000 is CUDA 13.0
  uint64_t cudnn, cublaslt;  // as their own functions give them; 0: not there
} sluice_cuda_device_info;

typedef struct sluice_cuda_lane sluice_cuda_lane;          // handles and a workspace
typedef struct sluice_cuda_compiled sluice_cuda_compiled;  // an operator made ready for one lane
typedef struct sluice_cuda_graph sluice_cuda_graph;        // captured work

typedef struct sluice_cuda_lane_options {
  uint64_t workspace_bytes;
  int32_t allow_tf32;        // for f32 products
  int32_t autotune;          // times the first configurations of a convolution or a product
  const char* cache_folder;  // where the winners are kept between runs; null: nowhere
} sluice_cuda_lane_options;

typedef struct sluice_cuda_api {
  uint32_t abi;
  const char* version;
  const char* (*last_error)(void);

  // Devices. Streams and events are CUDA's own, cudaStream_t and cudaEvent_t.
  int (*device_count)(int32_t* count);
  int (*device_info)(int32_t device, sluice_cuda_device_info* info);
  // Runs a kernel and waits for it.
  int (*probe)(int32_t device);
  // May wait for the device. `pinned`: of the host, for the device to copy from and to.
  int (*allocate)(int32_t device, int32_t pinned, size_t bytes, void** memory);
  int (*release)(int32_t device, int32_t pinned, void* memory);
  // Copies from the host's memory, of any kind, and waits until that is done.
  int (*upload)(int32_t device, void* to, const void* from, size_t bytes);
  int (*stream_create)(int32_t device, void** stream);
  int (*stream_destroy)(int32_t device, void* stream);
  int (*event_create)(int32_t device, void** event);
  int (*event_destroy)(int32_t device, void* event);
  int (*event_record)(int32_t device, void* event, void* stream);
  int (*event_query)(int32_t device, void* event);
  int (*stream_wait)(int32_t device, void* stream, void* event);
  int (*copy)(int32_t device, void* stream, void* to, const void* from, size_t bytes);

  // Operators. A table for tests, which computes on the host, has these alone, and looks at neither
  // device nor stream.
  int (*lane_create)(int32_t device, const sluice_cuda_lane_options* options,
                     sluice_cuda_lane** lane);
  void (*lane_destroy)(sluice_cuda_lane* lane);
  // Chooses what computes the operator; may take a while, and run it. Copies `op`.
  int (*compile)(sluice_cuda_lane* lane, const sluice_cuda_op* op, sluice_cuda_compiled** compiled);
  void (*compiled_destroy)(sluice_cuda_compiled* compiled);
  // "cudnn engine 58", "kernel depthwise": what was chosen. Lives as long as `compiled`.
  const char* (*compiled_name)(const sluice_cuda_compiled* compiled);
  // Queues the work. One pointer an operand, to a multiple of 16 bytes. What is compiled for a lane
  // shares its workspace: it runs on one stream, or on streams that are ordered.
  int (*run)(sluice_cuda_compiled* compiled, void* stream, const void* const* inputs,
             void* const* outputs);
  // Records what is queued between the two instead of queueing it; both are called by one thread. A
  // capture that fails leaves the stream as it was. Libraries load code in the first run of an
  // operator, which is not to be captured.
  int (*capture_begin)(sluice_cuda_lane* lane, void* stream);
  int (*capture_end)(sluice_cuda_lane* lane, void* stream, sluice_cuda_graph** graph);
  int (*graph_launch)(sluice_cuda_graph* graph, void* stream);
  void (*graph_destroy)(sluice_cuda_graph* graph);

  // Whether the operator could be compiled for a device with these properties, which need not be
  // there: cuDNN's own JSON of them. `name` as compiled_name gives it, cut to `name_bytes`.
  int (*check)(const char* device_properties, const sluice_cuda_lane_options* options,
               const sluice_cuda_op* op, char* name, size_t name_bytes);
} sluice_cuda_api;

// The one symbol of the plugin.
const sluice_cuda_api* sluice_cuda(void);

// NOLINTEND(readability-identifier-naming)
#ifdef __cplusplus
}
#endif
