"""From a trained checkpoint to the files that ship: ONNX, int8, half precision. Checked first."""
