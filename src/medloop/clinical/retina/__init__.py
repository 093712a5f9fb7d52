"""Diabetic retinopathy on fundus photographs: graded, explained, coded."""
