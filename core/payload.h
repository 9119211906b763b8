#pragma once

#include "sluice/core/block_pool.h"
#include "sluice/core/value.h"

#include <atomic>
#include <cassert>
#include <cstdint>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace sluice {

// A field of a payload that expressions can name: `page.width`.
struct PayloadField {
  std::string name;
  std::string type;  // "int", "number", "text", "bool", "list" or "record"
  Value (*get)(const void* payload) = nullptr;
};

// What the engine knows of a C++ type that packets carry. One object a type, alive for ever.
struct PayloadType {
  std::string name;                                  // "Image"; a list is "[Quad]"
  std::size_t (*size_bytes)(const void*) = nullptr;  // bytes held, shared buffers included
  Value (*to_value)(const void*) = nullptr;          // its JSON form; null where it has none
  std::vector<PayloadField> fields;
  const PayloadType* element = nullptr;  // what a list is a list of

  const PayloadField* find_field(std::string_view name) const;
};

// Registers a type as a payload: specialise it with `static PayloadType describe()`.
template <class T>
struct PayloadTraits;

// Stands for any payload in the ports of nodes that do not look inside.
struct Any {};

template <class T>
const PayloadType& payload_type() {
  static const PayloadType kType = PayloadTraits<T>::describe();
  return kType;
}

// Makes a payload type known by name, so that YAML can say `payload: Image`. Static initialisation
// only.
bool register_payload_type(const PayloadType& type);
// Null where none of that name was registered.
const PayloadType* find_payload_type(std::string_view name);
std::vector<std::string> payload_type_names();  // sorted

// The type of lists of `element`; the same object each time. Threads: thread-safe.
const PayloadType& list_of(const PayloadType& element);

// A shared, immutable payload: one pointer, counted. Threads: the count is atomic, the handle is
// thread-compatible. An empty one holds nothing.
class PayloadRef {
 public:
  PayloadRef() = default;
  PayloadRef(const PayloadRef& other) : box_(other.box_) {
    if (box_) box_->refs.fetch_add(1, std::memory_order_relaxed);
  }
  PayloadRef(PayloadRef&& other) noexcept : box_(std::exchange(other.box_, nullptr)) {}
  PayloadRef& operator=(PayloadRef other) noexcept {
    std::swap(box_, other.box_);
    return *this;
  }
  ~PayloadRef() { reset(); }

  template <class T>
  static PayloadRef make(T value) {
    return PayloadRef(new Holder<T>(payload_type<T>(), std::move(value)));
  }
  static PayloadRef make_list(const PayloadType& element, std::vector<PayloadRef> items);

  explicit operator bool() const { return box_ != nullptr; }
  const PayloadType& type() const { return *box_->type; }
  const void* data() const { return box_->data; }
  // Bytes held when it was made, shared buffers included.
  std::size_t size_bytes() const { return box_->size_bytes; }
  // Null where the type has no JSON form.
  Value to_value() const {
    return box_->type->to_value ? box_->type->to_value(box_->data) : Value();
  }

  // REQUIRES: it holds a T.
  template <class T>
  const T& get() const {
    assert(box_ && box_->type == &payload_type<T>());
    return *static_cast<const T*>(box_->data);
  }
  // REQUIRES: it holds a list.
  const std::vector<PayloadRef>& items() const {
    assert(box_ && box_->type->element);
    return *static_cast<const std::vector<PayloadRef>*>(box_->data);
  }
  void reset() {
    // A sole owner needs no read-modify-write: nobody else can raise the count.
    if (box_ && (box_->refs.load(std::memory_order_acquire) == 1 ||
                 box_->refs.fetch_sub(1, std::memory_order_acq_rel) == 1)) {
      delete box_;
    }
    box_ = nullptr;
  }

 private:
  struct Box : Pooled {
    explicit Box(const PayloadType& t) : type(&t) {}
    virtual ~Box() = default;
    std::atomic<std::uint32_t> refs{1};
    const PayloadType* type;
    const void* data = nullptr;
    std::size_t size_bytes = 0;
  };
  template <class T>
  struct Holder final : Box {
    Holder(const PayloadType& t, T v) : Box(t), value(std::move(v)) {
      data = &value;
      size_bytes = t.size_bytes(data);
    }
    T value;
  };
  explicit PayloadRef(Box* box) : box_(box) {}

  Box* box_ = nullptr;
};

// A list as a node makes it: `List<Quad> quads; quads.push_back(quad); ctx.emit(out, quads);`
template <class T>
class List {
 public:
  void push_back(T value) { items_.push_back(PayloadRef::make(std::move(value))); }
  void reserve(std::size_t n) { items_.reserve(n); }
  std::size_t size() const { return items_.size(); }
  std::vector<PayloadRef> take() && { return std::move(items_); }

 private:
  std::vector<PayloadRef> items_;
};

// A list as a node reads it. Borrows; valid as long as the item it came with.
template <class T>
class ListView {
 public:
  explicit ListView(const std::vector<PayloadRef>& items) : items_(&items) {}
  std::size_t size() const { return items_->size(); }
  bool empty() const { return items_->empty(); }
  const T& operator[](std::size_t i) const { return (*items_)[i].template get<T>(); }

 private:
  const std::vector<PayloadRef>* items_;
};

}  // namespace sluice
