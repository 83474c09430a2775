#include "ops/recurrent.h"

#include "python/bind.h"

namespace tapegrad::python {

void bind_recurrent(PyObject* m) {
    def_function<"lstm">(m, lstm, lstm_packed).without_out();
    def_function<"gru">(m, gru, gru_packed).without_out();
    def_function<"rnn_tanh">(m, rnn_tanh, rnn_tanh_packed).without_out();
    def_function<"rnn_relu">(m, rnn_relu, rnn_relu_packed).without_out();
    def_function<"lstm_cell">(m, lstm_cell).without_out();
    def_function<"gru_cell">(m, gru_cell).without_out();
    def_function<"rnn_tanh_cell">(m, rnn_tanh_cell).without_out();
    def_function<"rnn_relu_cell">(m, rnn_relu_cell).without_out();
}

}  // namespace tapegrad::python
